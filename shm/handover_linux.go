//go:build linux && !ipcportable

package shm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// seals returns f's seals; a file that is not a memfd has none.
func seals(f *os.File) (n int) {
	_ = control(f, func(fd int) error {
		if got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err == nil {
			n = got
		}
		return nil
	})
	return n
}

func isSealed(f *os.File) bool { return seals(f)&unix.F_SEAL_SHRINK != 0 }

func isStable(f *os.File) bool {
	const want = unix.F_SEAL_SHRINK | unix.F_SEAL_WRITE
	return seals(f)&want == want
}

// sealWriters adds F_SEAL_FUTURE_WRITE where f is a memfd.
func sealWriters(f *os.File) error {
	return control(f, func(fd int) error {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil {
			return nil // an ordinary file
		}
		_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE)
		if errors.Is(err, unix.EPERM) {
			return nil // sealed as a whole: tmpfs files outside memfd
		}
		return os.NewSyscallError("fcntl", err)
	})
}

// reopenReadOnly opens the object of f with O_RDONLY, whatever f allows.
func reopenReadOnly(f *os.File) (g *os.File, err error) {
	err = control(f, func(fd int) error {
		var n int
		err := retry(func() (err error) {
			n, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
			return err
		})
		if err != nil {
			return os.NewSyscallError("reopen", err)
		}
		g = os.NewFile(uintptr(n), f.Name())
		return nil
	})
	return g, err
}

// useByte is the byte that every handle locks for reading while it lives: a
// process that looks for users of the object sees the lock in /proc/locks,
// whoever holds it. It is the last byte before those of shmsync.Liveness.
const useByte = 1<<40 - 1

// markUsed is best effort: a file system without locks has none. A kernel
// without OFD locks has flock(2), which ends in the same way.
func markUsed(f *os.File) {
	_ = control(f, func(fd int) error {
		err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Start: useByte, Len: 1})
		if err == unix.EINVAL {
			err = unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB)
		}
		return err
	})
}
