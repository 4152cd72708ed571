//go:build linux && !ipcportable

package pipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeBuf is PIPE_BUF: a write of at most this many bytes is never torn (pipe(7)).
const pipeBuf = 4096

// openPipe makes the descriptors of a pipe, non-blocking and close-on-exec.
// Kernels and sandboxes without packets refuse the flag; then frames keep the
// messages apart.
func openPipe(m mode) (mode, [2]int, error) {
	var fds [2]int
	flags := unix.O_CLOEXEC | unix.O_NONBLOCK
	if m == packet {
		err := unix.Pipe2(fds[:], flags|unix.O_DIRECT)
		if err != unix.EINVAL {
			return m, fds, os.NewSyscallError("pipe2", err)
		}
		m = framed
	}
	return m, fds, os.NewSyscallError("pipe2", unix.Pipe2(fds[:], flags))
}

// isPacket reports whether the status flags of a descriptor are a packet pipe's.
func isPacket(flags int) bool { return flags&unix.O_DIRECT != 0 }

func capacity(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	return n, os.NewSyscallError("fcntl", err)
}

func setCapacity(fd, n int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, n)
	return n, os.NewSyscallError("fcntl", err)
}
