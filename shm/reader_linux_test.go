//go:build linux && !ipcportable

package shm_test

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// A Reader's mapping and descriptor cannot be made writable.
func TestReaderCannotBeUpgraded(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 4096, nil)
	is.NoErr(err)
	defer r.Close()
	anon, err := shm.Anonymous(4096, nil)
	is.NoErr(err)
	defer anon.Close()
	f, err := anon.ReaderFile()
	is.NoErr(err)
	defer f.Close()

	readers := map[string]func() (*shm.Reader, error){
		"named":           func() (*shm.Reader, error) { return shm.OpenReader(name, nil) },
		"from read-only":  func() (*shm.Reader, error) { return shm.ReaderFromFile(f, nil) },
		"from read-write": func() (*shm.Reader, error) { return shm.ReaderFromFile(r.File(), nil) },
		"stable copy":     func() (*shm.Reader, error) { return shm.ReaderFromFile(r.File(), &shm.Options{Stable: true}) },
	}
	for kind, open := range readers {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			ro, err := open()
			is.NoErr(err)
			defer ro.Close()
			mem, unpin, err := ro.Pin()
			is.NoErr(err)
			defer unpin()
			is.Equal(unix.Mprotect(mem, unix.PROT_READ|unix.PROT_WRITE), unix.EACCES)
			_, err = unix.Mmap(int(ro.File().Fd()), 0, 4096, unix.PROT_WRITE, unix.MAP_SHARED)
			is.Equal(err, unix.EACCES)
			_, err = ro.File().Write([]byte("x"))
			is.True(err != nil)
			is.True(errors.Is(writeTo(ro), shm.ErrFault)) // a fault, not a crash
		})
	}
}

// writeTo writes through a borrowed view of a read-only segment.
func writeTo(ro *shm.Reader) error {
	return ro.View(0, 1, func(b []byte) error { b[0] = 1; return nil })
}

// After ReaderFile nobody can become a writer of an anonymous segment, but who
// was one stays one.
func TestReaderFileSealsAnonymous(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(4096, nil)
	is.NoErr(err)
	defer r.Close()
	is.True(r.Sealed())
	is.Equal(unix.Ftruncate(int(r.File().Fd()), 100), unix.EPERM)
	is.Equal(unix.Ftruncate(int(r.File().Fd()), 10000), unix.EPERM)
	second, err := shm.FromFile(r.File(), nil) // a second writer, before
	is.NoErr(err)
	defer second.Close()
	f, err := r.ReaderFile()
	is.NoErr(err)
	defer f.Close()

	_, err = shm.FromFile(f, nil)
	is.True(errors.Is(err, os.ErrPermission))
	g, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0)
	if err == nil { // the kernel lets the owner open it, but not write
		defer g.Close()
		_, err = shm.FromFile(g, nil)
		is.True(errors.Is(err, os.ErrPermission))
		_, err = g.WriteAt([]byte("x"), 0)
		is.True(errors.Is(err, os.ErrPermission))
	}
	_, err = r.WriteAt([]byte("one"), 0)
	is.NoErr(err)
	_, err = second.WriteAt([]byte("two"), 3)
	is.NoErr(err)
	ro, err := shm.ReaderFromFile(f, nil)
	is.NoErr(err)
	defer ro.Close()
	b := make([]byte, 6)
	_, err = ro.ReadAt(b, 0)
	is.NoErr(err)
	is.Equal(string(b), "onetwo")
}

// Stable bytes do not change: what is not sealed is copied.
func TestStableReader(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(4096, nil)
	is.NoErr(err)
	defer r.Close()
	r.WriteAt([]byte("before"), 0)
	ro, err := shm.ReaderFromFile(r.File(), &shm.Options{Stable: true})
	is.NoErr(err)
	defer ro.Close()
	r.WriteAt([]byte("after!"), 0)
	b := make([]byte, 6)
	_, err = ro.ReadAt(b, 0)
	is.NoErr(err)
	is.Equal(string(b), "before")

	// Sealed against writing: mapped, the same memory.
	fd, err := unix.MemfdCreate("sealed", unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	is.NoErr(err)
	f := os.NewFile(uintptr(fd), "sealed")
	defer f.Close()
	f.Write([]byte("sealed bytes"))
	_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	is.NoErr(err)
	so, err := shm.ReaderFromFile(f, &shm.Options{Stable: true})
	is.NoErr(err)
	defer so.Close()
	is.True(so.Sealed())
	a, _ := f.Stat()
	c, _ := so.File().Stat()
	is.True(os.SameFile(a, c))
}

// The guard leaves the goroutine's fault mode as it was.
func TestGuardRestoresFaultMode(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(4096, nil)
	is.NoErr(err)
	defer r.Close()
	for _, mode := range []bool{true, false} {
		debug.SetPanicOnFault(mode)
		r.ReadAt(make([]byte, 8), 0)
		ro, err := shm.ReaderFromFile(r.File(), nil)
		is.NoErr(err)
		is.True(errors.Is(writeTo(ro), shm.ErrFault))
		is.NoErr(ro.Close())
		is.Equal(debug.SetPanicOnFault(false), mode)
	}
}

// A fault on memory that is not the segment's is not the segment's error.
func TestFaultElsewherePanics(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(4096, nil)
	is.NoErr(err)
	defer r.Close()
	other, err := unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	is.NoErr(err)
	defer unix.Munmap(other)
	func() {
		defer func() { is.True(recover() != nil) }()
		r.ReadAt(other, 0)
		t.Error("a fault outside the segment was swallowed")
	}()
	_, err = r.WriteAt([]byte("x"), 0)
	is.NoErr(err)
}

func TestPlacement(t *testing.T) {
	is := is.New(t)
	const size = 4 << 20
	r, err := shm.Create(testName(t), size, &shm.Options{Populate: true, Lock: true, Huge: true})
	is.NoErr(err)
	defer r.Close()
	p, err := r.Placement()
	is.NoErr(err)
	t.Logf("%+v", p)
	is.Equal(p.Resident, int64(size)) // populated
	is.True(p.Locked == size || p.Refused != nil)

	lazy, err := shm.Anonymous(size, nil)
	is.NoErr(err)
	defer lazy.Close()
	p, err = lazy.Placement()
	is.NoErr(err)
	is.Equal(p.Locked, int64(0))
	is.Equal(p.Resident, int64(0))
	is.NoErr(p.Refused)
	lazy.WriteAt([]byte("x"), 0)
	p, err = lazy.Placement()
	is.NoErr(err)
	is.True(p.Resident > 0)
}

func TestLimitOnFileSize(t *testing.T) {
	is := is.New(t)
	var old unix.Rlimit
	is.NoErr(unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	is.NoErr(unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: old.Max}))
	defer unix.Setrlimit(unix.RLIMIT_FSIZE, &old)
	_, err := shm.Create(testName(t), 2<<20, nil)
	is.True(errors.Is(err, unix.EFBIG)) // and no SIGXFSZ
}
