//go:build unix && (!linux || ipcportable)

package socket

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// What every Unix has: descriptors become close-on-exec and non-blocking by
// hand, one system call after the other.

func sysRecv(fd int, p, oob []byte) (int, control, error) {
	for {
		// The lock keeps a fork from inheriting what is not yet close-on-exec.
		syscall.ForkLock.RLock()
		n, oobn, flags, _, err := unix.Recvmsg(fd, p, oob, unix.MSG_DONTWAIT)
		if err == nil && oobn > 0 {
			closeOnExec(oob[:oobn])
		}
		syscall.ForkLock.RUnlock()
		if err != unix.EINTR {
			return n, control{oobn, flags&unix.MSG_CTRUNC != 0}, err
		}
	}
}

func closeOnExec(oob []byte) {
	for _, fd := range parseRights(oob) {
		unix.CloseOnExec(fd)
	}
}

// sysSend writes p, q and the control message oob without waiting.
func sysSend(fd int, p, q, oob []byte) (int, error) {
	for {
		n, err := unix.SendmsgBuffers(fd, [][]byte{p, q}, oob, nil, unix.MSG_DONTWAIT|sendFlags)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func sysPair() (a, b int, err error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		if err := prepareSocket(fd); err != nil {
			unix.Close(fds[0])
			unix.Close(fds[1])
			return -1, -1, err
		}
	}
	return fds[0], fds[1], nil
}

// sysSocket returns a new non-blocking, close-on-exec stream socket.
func sysSocket() (int, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := prepareSocket(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// sysAccept returns the bare errno.
func sysAccept(fd int) (int, error) {
	syscall.ForkLock.RLock()
	nfd, _, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(nfd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, err
	}
	if err := prepareSocket(nfd); err != nil {
		unix.Close(nfd)
		return -1, unix.ECONNABORTED
	}
	return nfd, nil
}

func prepareSocket(fd int) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if err := noSigpipe(fd); err != nil {
		return os.NewSyscallError("setsockopt SO_NOSIGPIPE", err)
	}
	return nil
}

func sysPassRights(int, bool) {}

func sysWriteBuffer(fd, n int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, n) }
