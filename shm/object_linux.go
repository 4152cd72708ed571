//go:build linux && !ipcportable

package shm

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// shmDir is where glibc and musl keep POSIX shared memory (shm_overview(7)).
const shmDir = "/dev/shm/"

func objectPath(name string) string {
	if isPath(name) {
		return name
	}
	return shmDir + name
}

func createObject(name string, size int, o *Options) (object, []byte, error) {
	f, b, err := createFile(objectPath(name), size, o)
	return object{f: f}, b, err
}

func openObject(_ context.Context, name string, writable bool) (object, error) {
	f, err := openFile(objectPath(name), writable)
	return object{f: f}, err
}

func removeObject(name string) error { return removeFile(objectPath(name)) }

func regular(fi os.FileInfo) bool { return fi.Mode().IsRegular() }

// openTmpfile opens a nameless file in dir. Where the file system or the
// kernel has none the error wraps errors.ErrUnsupported.
func openTmpfile(dir string) (fd int, err error) {
	err = retry(func() (err error) {
		fd, err = unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		return err
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) {
		return -1, fmt.Errorf("O_TMPFILE: %w", errors.ErrUnsupported)
	}
	return fd, err
}

// linkTmpfile gives the nameless file a name: open(2), O_TMPFILE. Without
// /proc it takes the way that needs a capability on kernels before 6.10.
func linkTmpfile(f *os.File, path string) error {
	return control(f, func(fd int) error {
		err := retry(func() error {
			return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
		})
		if err == unix.ENOENT {
			err = retry(func() error { return unix.Linkat(fd, "", unix.AT_FDCWD, path, unix.AT_EMPTY_PATH) })
		}
		return err
	})
}

// allocate is fallocate(2) in pieces: on tmpfs a signal undoes the piece that
// it interrupts (any signal on older kernels). The next try is for half of it,
// so that one fits between two signals of a profiler.
func allocate(fd, size int) error {
	const most, least = 256 << 20, 1 << 20
	piece := most
	for off := 0; off < size; { // ends: every round moves on, fails, or asks for less
		n := min(piece, size-off)
		switch err := unix.Fallocate(fd, 0, int64(off), int64(n)); err {
		case nil:
			off += n
		case unix.EINTR:
			piece = max(n/2, least)
		case unix.EOPNOTSUPP, unix.ENOSYS:
			return reserveByWriting(fd, size)
		default:
			return os.NewSyscallError("fallocate", err)
		}
	}
	return nil
}

// createAnonymous makes a memfd whose size can never change again: a receiver
// can rely on it without a guard (memfd_create(2)).
func createAnonymous(size int, o *Options) (object, []byte, error) {
	fd, err := unix.MemfdCreate("ipc-shm", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before 6.3
		fd, err = unix.MemfdCreate("ipc-shm", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return object{}, nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), anonymousName)
	ok := false
	defer func() {
		if !ok {
			f.Close()
		}
	}()
	if err := unix.Fchmod(fd, uint32(o.mode())); err != nil {
		return object{}, nil, os.NewSyscallError("fchmod", err)
	}
	if err := reserve(fd, size); err != nil {
		return object{}, nil, err
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		return object{}, nil, os.NewSyscallError("fcntl", err)
	}
	b, err := initialise(f, size, o)
	if err != nil {
		return object{}, nil, err
	}
	ok = true
	return object{f: f}, b, nil
}
