//go:build unix

package shm

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the first size bytes of f, shared with everybody.
func mapFile(f *os.File, size int, writable bool) (b []byte, err error) {
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	err = control(f, func(fd int) error {
		b, err = unix.Mmap(fd, 0, size, prot, unix.MAP_SHARED)
		return os.NewSyscallError("mmap", err)
	})
	return b, err
}

func unmap(b []byte) { _ = unix.Munmap(b) }

// control runs op with f's descriptor, which stays open meanwhile.
func control(f *os.File, op func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var opErr error
	if err := c.Control(func(fd uintptr) { opErr = op(int(fd)) }); err != nil {
		return err
	}
	return opErr
}

// retry runs op until it is not interrupted by a signal.
func retry(op func() error) error {
	for {
		if err := op(); err != unix.EINTR {
			return err
		}
	}
}

// openFile opens path for a segment: nothing but a regular file, no symbolic
// link in the last element, and never blocking on a FIFO.
func openFile(path string, writable bool) (*os.File, error) {
	mode := unix.O_RDONLY
	if writable {
		mode = unix.O_RDWR
	}
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(path, mode|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		return err
	})
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENXIO) {
		return nil, ErrNotSegment
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	if fi, err := f.Stat(); err != nil || !regular(fi) {
		f.Close()
		return nil, errors.Join(ErrNotSegment, err)
	}
	return f, nil
}

// removeFile unlinks path if it is a regular file.
func removeFile(path string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return ErrNotSegment
	}
	return retry(func() error { return unix.Unlink(path) })
}

// duplicate gives the library a descriptor of its own.
func duplicate(f *os.File) (g *os.File, err error) {
	err = control(f, func(fd int) error {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		g = os.NewFile(uintptr(n), f.Name())
		return nil
	})
	return g, err
}

// initialise maps f and runs Init on it, on memory that nobody else can reach
// yet. A panic of Init unmaps and goes on.
func initialise(f *os.File, size int, o *Options) ([]byte, error) {
	b, err := mapFile(f, size, true)
	if err != nil || o.Init == nil {
		return b, err
	}
	done := false
	defer func() {
		if !done {
			unmap(b)
		}
	}()
	if err := o.Init(b); err != nil {
		return nil, err
	}
	done = true
	return b, nil
}
