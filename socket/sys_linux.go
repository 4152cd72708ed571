//go:build !ipcportable

package socket

import (
	"os"

	"golang.org/x/sys/unix"
)

func sysPair() (a, b int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	return fds[0], fds[1], nil
}

// sysSocket returns a new non-blocking, close-on-exec stream socket.
func sysSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	return fd, nil
}

// sysAccept returns the bare errno.
func sysAccept(fd int) (int, error) {
	nfd, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	return nfd, err
}

// soPassRights is SO_PASSRIGHTS of asm-generic/socket.h (Linux 6.16): whether
// peers may send descriptors to this socket.
const soPassRights = 83

func sysPassRights(fd int, on bool) {
	if on {
		return // as every socket starts, unless its listener says otherwise
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, soPassRights, 0)
}

// sysWriteBuffer asks for n bytes. A privileged process may exceed
// net.core.wmem_max.
func sysWriteBuffer(fd, n int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, n) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, n)
	}
}
