//go:build linux && !ipcportable

package shmsync

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockBase is the byte of index 0: far behind any data, below the largest
// offset of every file system.
const lockBase = 1 << 40

// ofdLocks is an open file description of its own: OFD locks belong to the
// description and go when its last descriptor is closed.
type ofdLocks struct{ f *os.File }

// openLocks takes flock(2) on a kernel that has no OFD locks (before 3.15, and
// some sandboxes that pretend to be newer): the answer is the same for all
// processes of that kernel.
func openLocks(f *os.File) (locks, error) {
	g, err := reopen(f, unix.O_RDWR)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS) {
		g, err = reopen(f, unix.O_RDONLY)
	}
	if err != nil {
		return nil, err
	}
	k := ofdLocks{g}
	if _, err := k.held(0); errors.Is(err, unix.EINVAL) {
		k.close()
		return openFlocks(f)
	}
	return k, nil
}

// reopen opens the object of f again. /proc/self/fd works for objects without
// a name too; where /proc is not mounted the name has to do.
func reopen(f *os.File, mode int) (*os.File, error) {
	var want, got unix.Stat_t
	var fd int
	err := control(f, func(old int) error {
		if err := unix.Fstat(old, &want); err != nil {
			return os.NewSyscallError("fstat", err)
		}
		var err error
		flags := mode | unix.O_CLOEXEC | unix.O_NONBLOCK
		fd, err = openRetry(fmt.Sprintf("/proc/self/fd/%d", old), flags)
		if errors.Is(err, unix.ENOENT) {
			fd, err = openRetry(f.Name(), flags|unix.O_NOFOLLOW)
		}
		return os.NewSyscallError("open", err)
	})
	if err != nil {
		return nil, err
	}
	g := os.NewFile(uintptr(fd), f.Name())
	if err := unix.Fstat(fd, &got); err != nil || got.Dev != want.Dev || got.Ino != want.Ino {
		g.Close()
		return nil, errors.New("the name refers to another object now")
	}
	return g, nil
}

func openRetry(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

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

func (k ofdLocks) fcntl(cmd int, kind int16, i int) (unix.Flock_t, error) {
	lk := unix.Flock_t{Type: kind, Start: lockBase + int64(i), Len: 1}
	err := control(k.f, func(fd int) error {
		for {
			if err := unix.FcntlFlock(uintptr(fd), cmd, &lk); err != unix.EINTR {
				return os.NewSyscallError("fcntl", err)
			}
		}
	})
	return lk, err
}

func (k ofdLocks) try(i int) (bool, error) {
	_, err := k.fcntl(unix.F_OFD_SETLK, unix.F_WRLCK, i)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

func (k ofdLocks) unlock(i int) error {
	_, err := k.fcntl(unix.F_OFD_SETLK, unix.F_UNLCK, i)
	return err
}

// held asks for a read lock: only a write lock conflicts, so a process that
// may only read the object cannot pretend to be alive.
func (k ofdLocks) held(i int) (bool, error) {
	lk, err := k.fcntl(unix.F_OFD_GETLK, unix.F_RDLCK, i)
	return err == nil && lk.Type != unix.F_UNLCK, err
}

func (k ofdLocks) close() error { return k.f.Close() }
