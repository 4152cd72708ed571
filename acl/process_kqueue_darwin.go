package acl

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// kqueuePin is a pollPin whose wait sleeps until the kernel tells of the
// process's end: EVFILT_PROC with NOTE_EXIT, kqueue(2), XNU bsd/sys/event.h. The
// waiter takes a thread. EVFILT_USER wakes it when the pin is closed.
type kqueuePin struct {
	*pollPin
	gone atomic.Bool // the kernel has told

	mu      sync.Mutex
	kq      int  // -1 once closed
	waiting bool // then the waiter closes kq
}

// closing is the identity of the EVFILT_USER event.
const closing = 1

// pinPID pins the process that has pid now. Without a kqueue it polls.
func pinPID(pid int32) (*Process, error) {
	poll, err := pollPID(pid)
	if err != nil {
		return nil, err
	}
	kq, err := exitQueue(pid)
	if errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("process %d: %w", pid, os.ErrProcessDone)
	}
	if err != nil {
		return poll.process(poll), nil
	}
	if poll.exited() { // else the queue is about the process that poll pins
		unix.Close(kq)
		return nil, fmt.Errorf("process %d: %w", pid, os.ErrProcessDone)
	}
	return poll.process(&kqueuePin{pollPin: poll, kq: kq}), nil
}

// exitQueue makes a kqueue that tells of pid's end and can be triggered.
func exitQueue(pid int32) (kq int, err error) {
	if kq, err = unix.Kqueue(); err != nil {
		return -1, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(kq)
	changes := make([]unix.Kevent_t, 2)
	unix.SetKevent(&changes[0], int(pid), unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	changes[0].Fflags = unix.NOTE_EXIT
	unix.SetKevent(&changes[1], closing, unix.EVFILT_USER, unix.EV_ADD)
	if _, err := unix.Kevent(kq, changes, nil, nil); err != nil {
		unix.Close(kq)
		return -1, os.NewSyscallError("kevent", err)
	}
	return kq, nil
}

// exited: between the kernel's word and the zombie that polling finds there
// may be a moment.
func (p *kqueuePin) exited() bool { return p.gone.Load() || p.pollPin.exited() }

func (p *kqueuePin) wait() {
	p.mu.Lock()
	kq := p.kq
	p.waiting = kq >= 0
	p.mu.Unlock()
	if kq < 0 {
		return // closed before
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		unix.Close(p.kq)
		p.kq = -1
	}()
	events := make([]unix.Kevent_t, 1)
	for !p.exited() {
		n, err := unix.Kevent(kq, nil, events, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			p.pollPin.wait()
			return
		case n == 1 && events[0].Filter == unix.EVFILT_PROC:
			p.gone.Store(true)
		}
	}
}

func (p *kqueuePin) close() error {
	err := p.pollPin.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.kq < 0:
	case p.waiting:
		var trigger unix.Kevent_t
		unix.SetKevent(&trigger, closing, unix.EVFILT_USER, 0)
		trigger.Fflags = unix.NOTE_TRIGGER
		_, kerr := unix.Kevent(p.kq, []unix.Kevent_t{trigger}, nil, nil)
		err = errors.Join(err, os.NewSyscallError("kevent", kerr))
	default:
		unix.Close(p.kq)
		p.kq = -1
	}
	return err
}
