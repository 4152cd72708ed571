package host

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Lease is the kernel's word that nobody else has a file open or mapped.
type Lease struct {
	fd int
	ID FileID // of the file
}

// TakeLease asks for a write lease on a file, fcntl(2) F_SETLEASE. The kernel
// grants it only if no open file and no mapping of it exists on the whole
// host: in other containers, of processes that may not be looked into, and on
// its way through a socket too. The error wraps ErrInUse if there is one.
//
// While it is held nobody else can open the file: who tries waits, or gets
// EAGAIN from a non-blocking open(2). So hold it for an instant.
func TakeLease(path string) (*Lease, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK)
	}
	if err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EAGAIN) {
			err = ErrInUse
		}
		return nil, &fs.PathError{Op: "lease", Path: path, Err: err}
	}
	return &Lease{fd, FileID{uint64(st.Dev), st.Ino}}, nil
}

// Held says whether nobody has tried to open the file since.
func (l *Lease) Held() bool {
	kind, err := unix.FcntlInt(uintptr(l.fd), unix.F_GETLEASE, 0)
	return err == nil && kind == unix.F_WRLCK
}

// Close gives the lease back.
func (l *Lease) Close() error { return unix.Close(l.fd) }
