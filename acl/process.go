package acl

import "sync"

// A Process is a hold on one process, made by [ProcessOf]. It never comes to
// mean another process that is given the same pid later.
//
// Its methods are safe for concurrent use.
type Process struct {
	pid   int32
	start uint64
	pin   pin

	once sync.Once     // starts the one waiter behind Done
	done chan struct{} // made by whoever makes the Process
}

// A pin is how a system holds on to a process.
type pin interface {
	exited() bool // also true once closed
	wait()        // returns when the process has exited or the pin is closed
	close() error // wakes wait; idempotent
}

// PID returns the process id, or 0 if it lives in another pid namespace.
func (p *Process) PID() int32 { return p.pid }

// StartTime returns what [Subject.StartTime] holds, or 0 if it is unknown.
func (p *Process) StartTime() uint64 { return p.start }

// Alive reports whether the process still runs. A zombie does not. Alive
// returns false after Close.
func (p *Process) Alive() bool { return !p.pin.exited() }

// Done returns a channel that is closed when the process has ended, or when p
// is closed. The first call starts a goroutine, which ends with either.
func (p *Process) Done() <-chan struct{} {
	p.once.Do(func() {
		go func(pin pin, done chan struct{}) {
			defer close(done)
			pin.wait()
		}(p.pin, p.done)
	})
	return p.done
}

// Close lets go of the process. Further calls do nothing.
func (p *Process) Close() error { return p.pin.close() }
