package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func TestLease(t *testing.T) {
	is := is.New(t)
	dir, err := os.MkdirTemp("/dev/shm", "ipcctl-lease-test-")
	is.NoErr(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "x")
	inUse := func() bool {
		l, err := TakeLease(path)
		if err == nil {
			is.True(l.Held())
			is.NoErr(l.Close())
		} else if !errors.Is(err, ErrInUse) {
			t.Fatal(err)
		}
		return err != nil
	}
	f, err := os.Create(path)
	is.NoErr(err)
	is.NoErr(f.Truncate(4096))
	is.True(inUse()) // open
	is.NoErr(f.Close())
	is.True(!inUse())

	f, err = os.Open(path)
	is.NoErr(err)
	mem, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	is.NoErr(err)
	is.NoErr(f.Close())
	is.True(inUse()) // mapped, even for reading alone
	is.NoErr(unix.Munmap(mem))

	l, err := TakeLease(path)
	is.NoErr(err)
	_, err = unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	is.Equal(err, unix.EAGAIN)
	is.True(!l.Held()) // somebody wants it
	is.NoErr(l.Close())
	_, err = TakeLease(path + "-none")
	is.True(errors.Is(err, os.ErrNotExist))
}
