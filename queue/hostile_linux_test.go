package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// TestPunched punches holes into the file of a queue in use: zeros where words were.
func TestPunched(t *testing.T) {
	for _, hole := range []struct{ off, size int64 }{{0, 1 << 30}, {0, 4096}, {4096, 4096}, {8192, 4096}, {8192, 1 << 30}} {
		t.Run(fmt.Sprint(hole), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "q")
			attackFile(t, path, true, func() error {
				f, err := os.OpenFile(path, os.O_RDWR, 0)
				if err != nil {
					return err
				}
				defer f.Close()
				return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, hole.off, hole.size)
			})
		})
	}
}

// TestFullFileSystem creates queues in a file system of 1 MiB, if this process may
// mount one. TestCreateWithoutSpace does nearly the same without.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "q")
	for _, o := range []Options{
		{Capacity: 1000, MaxMessage: 10000},
		{Capacity: 1000, MaxMessage: 10000, MaxAttempts: 1, DeadLetters: 1, Lanes: 2},
		{Capacity: 1, MaxMessage: 1000000, MaxAttempts: 1, DeadLetters: 1000, Lanes: 2},
	} {
		_, err := Create(path, &o)
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%v, want ENOSPC", err)
		}
		expectNothing(t, dir, path)
	}
	// What was created can be filled to the last byte.
	q, err := Create(path, &Options{Capacity: 20, MaxMessage: 20000, Lanes: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := os.WriteFile(filepath.Join(dir, "rest"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	for range 20 {
		if err := q.TryPut(make([]byte, 20000)); err != nil {
			t.Fatal(err)
		}
	}
}

// A directory that may not be searched is no sign of a queue in it.
func TestCreateWithoutPermission(t *testing.T) {
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "closed")
	is.NoErr(os.Mkdir(dir, 0))
	if os.Geteuid() == 0 { // root's threads can do without
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_, err := unix.SetfsuidRetUid(12345)
		is.NoErr(err)
		defer unix.SetfsuidRetUid(0)
	}
	for _, o := range []*Options{{Capacity: 1, MaxMessage: 8}, {Capacity: 1, MaxMessage: 8, MaxAttempts: 1}} {
		_, err := Create(filepath.Join(dir, "q"), o)
		is.True(errors.Is(err, os.ErrPermission))
		is.True(!errors.Is(err, os.ErrExist))
	}
}
