//go:build unix && (!linux || ipcportable)

package pipe

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeBuf is PIPE_BUF of macOS and the BSDs, and the least that POSIX allows: a
// write of at most this many bytes is never torn. Source: sys/syslimits.h of
// XNU, FreeBSD and OpenBSD.
const pipeBuf = 512

// openPipe makes the descriptors of a pipe, non-blocking and close-on-exec.
func openPipe(m mode) (mode, [2]int, error) {
	var fds [2]int
	syscall.ForkLock.RLock() // no child may be forked before close-on-exec is set
	err := unix.Pipe(fds[:])
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return m, fds, os.NewSyscallError("pipe", err)
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			_ = unix.Close(fds[0])
			_ = unix.Close(fds[1])
			return m, fds, os.NewSyscallError("fcntl", err)
		}
	}
	return m, fds, nil
}

func isPacket(int) bool { return false }

func capacity(int) (int, error)         { return 0, errors.ErrUnsupported }
func setCapacity(int, int) (int, error) { return 0, errors.ErrUnsupported }
