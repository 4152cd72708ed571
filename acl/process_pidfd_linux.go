//go:build !ipcportable

package acl

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pidfdPin holds a process by a pidfd, which the Go poller waits on: no
// thread sleeps for it.
type pidfdPin struct {
	file *os.File
	raw  syscall.RawConn
}

// pinPidfd takes ownership of pidfd, whose process has pid in our namespace.
func pinPidfd(pidfd int, pid int32) (*Process, error) {
	// os.NewFile gives a descriptor to the poller only if it is non-blocking.
	if err := unix.SetNonblock(pidfd, true); err != nil {
		unix.Close(pidfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(pidfd), "pidfd")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	start, _ := pinnedStart(pidfd, pid)
	return &Process{pid: pid, start: start, pin: &pidfdPin{f, raw}, done: make(chan struct{})}, nil
}

// pinPID pins the process that has pid now.
func pinPID(pid int32) (*Process, error) {
	fd, err := unix.PidfdOpen(int(pid), 0)
	if errors.Is(err, unix.ENOSYS) { // before 5.3
		p, err := pollPID(pid)
		if err != nil {
			return nil, err
		}
		return p.process(p), nil
	}
	if errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("process %d: %w", pid, os.ErrProcessDone)
	}
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, os.NewSyscallError("pidfd_open", err))
	}
	return pinPidfd(fd, pid)
}

// pinnedStart reads the start time of pidfd's process. The pid can't be given
// to another process before it is reaped, so a start time that was read before
// the process was last seen unreaped is its own.
func pinnedStart(pidfd int, pid int32) (start uint64, ok bool) {
	if pid <= 0 {
		return 0, false
	}
	start, _, err := processStart(pid)
	if err != nil {
		return 0, false
	}
	err = unix.PidfdSendSignal(pidfd, 0, nil, 0)
	if err != nil && err != unix.EPERM { // EPERM: it exists, and isn't ours
		return 0, false
	}
	return start, true
}

// pidfdExited reports whether pidfd is readable: pidfd_open(2), "becomes
// readable when the process it refers to terminates".
func pidfdExited(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err == unix.EINTR {
			continue
		}
		return err != nil || n != 0
	}
}

func (p *pidfdPin) exited() bool {
	exited := true // stays true if the file is closed
	_ = p.raw.Control(func(fd uintptr) { exited = pidfdExited(int(fd)) })
	return exited
}

func (p *pidfdPin) wait() {
	_ = p.raw.Read(func(fd uintptr) bool { return pidfdExited(int(fd)) })
}

func (p *pidfdPin) close() error {
	err := p.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
