//go:build unix

package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// createFile makes a regular file that appears under path only when it is
// complete:
//
//	nameless file (O_TMPFILE)  or  temporary name      nobody can know it
//	  -> fchmod, reserve size bytes, map, Init
//	  -> link to path                                  <= the commit; EEXIST loses
//
// Death before the commit leaves nothing, or with a temporary name that name.
func createFile(path string, size int, o *Options) (*os.File, []byte, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, nil, os.ErrExist // before the work; the link decides
	}
	f, publish, discard, err := openUnpublished(path, o)
	if err != nil {
		return nil, nil, err
	}
	ok := false
	defer func() {
		discard()
		if !ok {
			f.Close()
		}
	}()
	err = control(f, func(fd int) error {
		if err := unix.Fchmod(fd, uint32(o.mode())); err != nil {
			return os.NewSyscallError("fchmod", err)
		}
		return reserve(fd, size)
	})
	if err != nil {
		return nil, nil, err
	}
	b, err := initialise(f, size, o)
	if err != nil {
		return nil, nil, err
	}
	if err := publish(); err != nil {
		unmap(b)
		return nil, nil, err
	}
	ok = true
	return f, b, nil
}

// openUnpublished makes an empty file beside path. publish links it to path;
// discard, which is always called, removes what publish does not need.
func openUnpublished(path string, o *Options) (f *os.File, publish func() error, discard func(), err error) {
	fd, err := -1, errors.ErrUnsupported
	if !o.noTmpfile {
		fd, err = openTmpfile(filepath.Dir(path))
	}
	if err == nil {
		f = os.NewFile(uintptr(fd), path)
		return f, func() error { return linkTmpfile(f, path) }, func() {}, nil
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		return nil, nil, nil, err
	}
	temp := filepath.Join(filepath.Dir(path), temporaryPrefix+generateName())
	err = retry(func() (err error) {
		fd, err = unix.Open(temp, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	publish = func() error { return retry(func() error { return unix.Link(temp, path) }) }
	discard = func() { _ = unix.Unlink(temp) }
	return os.NewFile(uintptr(fd), path), publish, discard, nil
}

// temporaryPrefix begins the name of a file that is not published yet. No
// segment name has a leading dot.
const temporaryPrefix = ".ipc-new-"

// reserve gives the file its size and its space. A sparse file would fault
// when its file system is full.
func reserve(fd, size int) error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &lim); err == nil && uint64(size) > uint64(lim.Cur) {
		return fmt.Errorf("%d bytes exceed RLIMIT_FSIZE (%d): %w", size, uint64(lim.Cur), unix.EFBIG) // the kernel would send SIGXFSZ
	}
	err := checkRoom(fd, size)
	if err == nil {
		err = allocate(fd, size)
	}
	if err != nil {
		return fmt.Errorf("reserve: %w", err)
	}
	return nil
}

// reserveByWriting is for systems and file systems without fallocate.
func reserveByWriting(fd, size int) error {
	if err := retry(func() error { return unix.Ftruncate(fd, int64(size)) }); err != nil {
		return os.NewSyscallError("ftruncate", err)
	}
	zeros := make([]byte, min(size, 1<<20))
	for off := 0; off < size; {
		n, err := unix.Pwrite(fd, zeros[:min(len(zeros), size-off)], int64(off))
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("pwrite", err)
		}
		off += max(n, 0)
	}
	return nil
}
