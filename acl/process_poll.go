//go:build darwin || linux

package acl

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// pollEvery is how soon the end of a process is noticed where the kernel has
// no handle for it.
const pollEvery = 25 * time.Millisecond

// pollPin holds on to a process by its pid and start time, asked for again and
// again.
type pollPin struct {
	pid    int32
	start  uint64
	closed chan struct{}
	once   sync.Once
}

// pollPID pins the process that has pid now.
func pollPID(pid int32) (*pollPin, error) {
	start, running, err := processStart(pid)
	if err == nil && !running {
		err = os.ErrProcessDone
	}
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	return &pollPin{pid: pid, start: start, closed: make(chan struct{})}, nil
}

// process makes a Process of what p, or what wraps it, pins.
func (p *pollPin) process(pin pin) *Process {
	return &Process{pid: p.pid, start: p.start, pin: pin, done: make(chan struct{})}
}

func (p *pollPin) exited() bool {
	select {
	case <-p.closed:
		return true
	default:
	}
	start, running, err := processStart(p.pid)
	return err != nil || !running || start != p.start
}

func (p *pollPin) wait() {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for !p.exited() {
		select {
		case <-p.closed:
			return
		case <-t.C:
		}
	}
}

func (p *pollPin) close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
