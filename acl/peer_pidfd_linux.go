//go:build !ipcportable

package acl

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// peerStart fills in the start time of the peer, or what is missing of it.
func peerStart(fd int, s *Subject) {
	pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	switch err {
	case nil:
	case unix.ENOPROTOOPT: // before Linux 6.5: find it by pid, which proves less
		s.Missing |= FieldPin
		pidfd, err = unix.PidfdOpen(int(s.PID), 0)
		if err == unix.ENOSYS { // before 5.3
			s.StartTime, _, err = processStart(s.PID)
			if err != nil {
				s.Missing |= FieldStartTime
			}
			return
		}
		if err != nil {
			s.Missing |= FieldStartTime
			return
		}
	default: // the process is gone, or we have no descriptor left
		s.Missing |= FieldStartTime | FieldPin
		return
	}
	defer unix.Close(pidfd)
	var ok bool
	if s.StartTime, ok = pinnedStart(pidfd, s.PID); !ok {
		s.Missing |= FieldStartTime
	}
}

// peerProcess pins the peer of fd.
func peerProcess(fd int) (*Process, error) {
	s, err := peerIDs(fd)
	if err != nil {
		return nil, err
	}
	pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	switch err {
	case nil:
		return pinPidfd(pidfd, s.PID)
	case unix.ENOPROTOOPT:
		if s.PID == 0 {
			return nil, os.NewSyscallError("getsockopt SO_PEERPIDFD", err)
		}
		return pinPID(s.PID)
	case unix.ESRCH, unix.EINVAL, unix.ENODATA: // reaped; which error depends on the release
		return nil, fmt.Errorf("process %d: %w", s.PID, os.ErrProcessDone)
	default:
		return nil, os.NewSyscallError("getsockopt SO_PEERPIDFD", err)
	}
}
