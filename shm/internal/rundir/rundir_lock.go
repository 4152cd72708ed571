//go:build unix

package rundir

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Flock locks f with flock(2). With LOCK_NB a lock that is taken is
// unix.EWOULDBLOCK.
func Flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return os.NewSyscallError("flock", err)
		}
	}
}

// busy bounds how long Lock waits: its sections are a few system calls, so a
// longer wait means that their owner was stopped.
const busy = 10 * time.Second

// Lock takes the exclusive lock of file path, made if necessary, and returns
// what releases it.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(busy); ; time.Sleep(time.Millisecond) {
		err := Flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			f.Close()
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
	}
}

// SameFile reports whether path still names the open file f.
func SameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Lstat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
