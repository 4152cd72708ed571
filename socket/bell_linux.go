//go:build linux && !ipcportable

package socket

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A bell is an epoll instance that watches a socket for one direction while it
// is armed. The runtime's poller watches the bell: an epoll descriptor is
// readable while it has an event (epoll(7)).
//
// Armed, it rings for every message, needed or not, and costs no system call.
// To arm it costs one, to disarm it two. So it is armed when a call has to sleep,
// and disarmed once several in a row had not.
//
// One goroutine at a time uses it, who has the turn of the direction.
type bell struct {
	file   *os.File
	raw    syscall.RawConn
	events uint32 // to watch for
	armed  bool
	unused uint8 // calls in a row that have not slept

	// the call under way
	fd   int // the bell's
	try  func(sock uintptr) bool
	done bool
	err  error

	transfer   func(func(sock uintptr) bool) error // Read or Write of the socket's raw
	onRing     func(fd uintptr) bool               // b.rings, bound once
	withSocket func(sock uintptr) bool             // b.look, bound once
}

// disarmAfter is how many calls in a row must not have slept.
const disarmAfter = 4

// newBell returns a bell for the socket sock. transfer is how to get hold of that.
func newBell(sock int, events uint32, transfer func(func(sock uintptr) bool) error) (*bell, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	err = os.NewSyscallError("fcntl", unix.SetNonblock(fd, true)) // or the runtime would not watch it
	if err == nil {
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, sock, &unix.EpollEvent{}))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	b := &bell{file: os.NewFile(uintptr(fd), "epoll"), events: events, transfer: transfer}
	b.onRing, b.withSocket = b.rings, b.look
	if b.raw, err = b.file.SyscallConn(); err != nil {
		b.file.Close()
		return nil, err
	}
	return b, nil
}

// wait calls try, and again whenever the bell has rung, until it returns true,
// the bell's read deadline has passed, or the bell or the socket is closed.
func (b *bell) wait(try func(sock uintptr) bool) error {
	b.try = try
	if err := b.raw.Read(b.onRing); err != nil {
		return err
	}
	return b.err
}

// rings is called by the poller. It holds the bell's descriptor, and transfer
// the socket's: neither can be closed meanwhile, nor its number mean another.
func (b *bell) rings(fd uintptr) bool {
	b.fd = int(fd)
	err := b.transfer(b.withSocket)
	if err != nil {
		b.err = err
	}
	return err != nil || b.done
}

func (b *bell) look(sock uintptr) bool {
	b.err = nil
	if b.done = b.try(sock); b.done {
		b.needless(int(sock))
	} else if b.err = b.arm(int(sock)); b.err != nil {
		b.done = true
	}
	return true
}

// arm makes the bell ring for what comes, and for what has come since try
// looked: EPOLL_CTL_MOD looks for that, and tells the poller if it is new to
// the list of events, from which disarm has taken what came before.
func (b *bell) arm(sock int) error {
	b.unused = 0
	if b.armed {
		return nil
	}
	b.armed = true
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(b.fd, unix.EPOLL_CTL_MOD, sock, &unix.EpollEvent{Events: b.events}))
}

// needless notes a call that has not slept, or no longer does.
func (b *bell) needless(sock int) {
	if !b.armed {
		return
	}
	if b.unused++; b.unused >= disarmAfter {
		b.disarm(sock)
	}
}

// disarm makes the bell ring no more, except for the end of the connection. It
// takes the event from the list that arm has left there: the kernel does that
// only for those who read the list. At worst, the bell rings in vain.
func (b *bell) disarm(sock int) {
	b.armed = false
	_ = unix.EpollCtl(b.fd, unix.EPOLL_CTL_MOD, sock, &unix.EpollEvent{})
	var taken [1]unix.EpollEvent
	_, _ = unix.EpollWait(b.fd, taken[:], 0)
}

// duplicate returns a descriptor for the socket fd, opened once more, with bells
// or in the runtime's poller.
func duplicate(fd int, name string, bells bool) (*descriptor, error) {
	dup, err := sysDup(fd)
	if err != nil {
		return nil, err
	}
	if !bells {
		return newDescriptor(dup, name)
	}
	// os.NewFile leaves what is blocking to itself.
	if err := unix.SetNonblock(dup, false); err != nil {
		unix.Close(dup)
		return nil, os.NewSyscallError("fcntl", err)
	}
	d, err := newDescriptor(dup, name)
	err = errors.Join(err, os.NewSyscallError("fcntl", unix.SetNonblock(fd, true)))
	if err != nil {
		return nil, err
	}
	if d.in, err = newBell(dup, unix.EPOLLIN, d.raw.Read); err == nil {
		d.out, err = newBell(dup, unix.EPOLLOUT, d.raw.Write)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}
