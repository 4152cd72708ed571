//go:build linux && !ipcportable

package socket

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sysRecv and sysSend are recvmsg and sendmsg without what makes x/sys
// allocate: the peer's address, which a connected socket does not need.
//
// The kernel reads and writes p and oob only during the call; msghdr and iovec
// are locals that hold typed pointers to them, which keeps them alive and in
// place.

// sysRecv reads into p and oob without waiting. Received descriptors are
// close-on-exec. Precondition: p and oob are not empty.
func sysRecv(fd int, p, oob []byte) (int, control, error) { return recvmsg(known, fd, p, oob) }

// sysRecvHot is sysRecv for a connection that is being polled.
func sysRecvHot(fd int, p, oob []byte) (int, control, error) {
	return recvmsg(unknownUpTo(len(p)), fd, p, oob)
}

func recvmsg(how call, fd int, p, oob []byte) (int, control, error) {
	var msg unix.Msghdr
	var iov unix.Iovec
	iov.Base = unsafe.SliceData(p)
	iov.SetLen(len(p))
	msg.Iov = &iov
	msg.SetIovlen(1)
	for {
		msg.Control = unsafe.SliceData(oob)
		msg.SetControllen(len(oob))
		n, errno := how.do(unix.SYS_RECVMSG, fd, &msg, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		switch errno {
		case 0:
			return int(n), control{int(msg.Controllen), msg.Flags&unix.MSG_CTRUNC != 0}, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, control{}, unix.EAGAIN // a constant: no allocation
		default:
			return 0, control{}, errno
		}
	}
}

// sysSend writes p, q if it is not empty, and the control message oob if that
// is not, without waiting and without SIGPIPE.
func sysSend(fd int, p, q, oob []byte) (int, error) { return sendmsg(known, fd, p, q, oob) }

// sysSendHot is sysSend for a connection that is being polled.
func sysSendHot(fd int, p, q, oob []byte) (int, error) {
	return sendmsg(unknownUpTo(len(p)+len(q)), fd, p, q, oob)
}

func sendmsg(how call, fd int, p, q, oob []byte) (int, error) {
	var msg unix.Msghdr
	var iov [2]unix.Iovec
	iov[0].Base = unsafe.SliceData(p)
	iov[0].SetLen(len(p))
	iov[1].Base = unsafe.SliceData(q)
	iov[1].SetLen(len(q))
	msg.Iov = &iov[0]
	msg.SetIovlen(1)
	if len(q) > 0 {
		msg.SetIovlen(2)
	}
	if len(oob) > 0 {
		msg.Control = unsafe.SliceData(oob)
		msg.SetControllen(len(oob))
	}
	for {
		n, errno := how.do(unix.SYS_SENDMSG, fd, &msg, unix.MSG_DONTWAIT|sendFlags)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, unix.EAGAIN
		default:
			return 0, errno
		}
	}
}

// A call is known to the runtime as a system call, or not. A goroutine in a
// known one may find its processor given to another thread when it returns, and
// wait for one: that costs more than the call. It happens to those who make one
// after the other, as a spin does. An unknown one keeps the processor, so it
// must be short. While nobody spins, known ones are better: they keep the
// runtime awake, and it wakes up sooner.
type call bool

const (
	known   call = true
	unknown call = false

	// maxUnknown is how many bytes an unknown call may copy, in some 10 us.
	maxUnknown = 64 << 10
)

func unknownUpTo(n int) call { return n > maxUnknown }

func (c call) do(trap uintptr, fd int, msg *unix.Msghdr, flags uintptr) (uintptr, syscall.Errno) {
	if c == known {
		n, _, errno := unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(msg)), flags)
		return n, errno
	}
	n, _, errno := unix.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(msg)), flags)
	return n, errno
}
