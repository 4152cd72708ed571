//go:build unix

package socket

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// sysRead reads without taking descriptors: the kernel discards them.
func sysRead(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func sysClose(fd int) { _ = unix.Close(fd) }

func sysShutdownWrite(fd int) error {
	return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_WR))
}

// sysDup duplicates fd, close-on-exec.
func sysDup(fd int) (int, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	return dup, nil
}

// sysDupSocket duplicates fd and makes the socket non-blocking, if it is a
// Unix stream socket.
func sysDupSocket(fd int) (int, error) {
	if err := checkStream(fd); err != nil {
		return -1, err
	}
	dup, err := sysDup(fd)
	if err != nil {
		return -1, err
	}
	if err := unix.SetNonblock(dup, true); err != nil {
		unix.Close(dup)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return dup, nil
}

func sysDupBlocking(fd int) (int, error) {
	dup, err := sysDup(fd)
	if err != nil {
		return -1, err
	}
	if err := unix.SetNonblock(dup, false); err != nil {
		unix.Close(dup)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return dup, nil
}

func checkStream(fd int) error {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("not a socket: %w", os.NewSyscallError("getsockopt SO_TYPE", err))
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	if _, isUnix := sa.(*unix.SockaddrUnix); !isUnix || typ != unix.SOCK_STREAM {
		return fmt.Errorf("not a Unix stream socket: %w", os.ErrInvalid)
	}
	return nil
}

// sysControlLen is the room that max descriptors take and one more doesn't.
func sysControlLen(max int) int { return unix.CmsgLen(4 * max) }

// sysRights makes the control message that carries fds.
func sysRights(fds []int) []byte { return unix.UnixRights(fds...) }

// parseRights returns the descriptors in a control message. Whatever the
// kernel wrote besides, it skips.
func parseRights(oob []byte) (fds []int) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range msgs {
		if len(msgs[i].Data)%4 != 0 {
			continue // ParseUnixRights would panic
		}
		if more, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, more...)
		}
	}
	return fds
}

// parseFiles makes Files of the descriptors in a control message.
func parseFiles(oob []byte) []*os.File {
	fds := parseRights(oob)
	if len(fds) == 0 {
		return nil
	}
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		files[i] = os.NewFile(uintptr(fd), fmt.Sprintf("received descriptor %d", fd))
	}
	return files
}

// sysConnect connects fd, a non-blocking socket, to a path or "@name". It
// returns a bare errno.
func sysConnect(fd int, name string) error {
	_, err := retry(func() (int, error) { return 0, unix.Connect(fd, &unix.SockaddrUnix{Name: name}) })
	return err
}

func sysCloseOnExec(fd int) { unix.CloseOnExec(fd) }

// sysSendDatagram sends p to a datagram socket without waiting.
func sysSendDatagram(addr string, p []byte) error {
	fd, err := sysDatagramSocket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = retry(func() (int, error) {
		return 0, unix.Sendto(fd, p, unix.MSG_DONTWAIT|sendFlags, &unix.SockaddrUnix{Name: addr})
	})
	return os.NewSyscallError("sendto", err)
}

func sysDatagramSocket() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	return fd, nil
}

// sysGrowWriteBuffer is sysWriteBuffer for a buffer that is smaller.
func sysGrowWriteBuffer(fd, n int) {
	if has, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF); err == nil && has < n {
		sysWriteBuffer(fd, n)
	}
}
