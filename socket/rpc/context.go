package rpc

import (
	"context"
	"sync"
	"time"
)

// callContext is the context of a call on the server. Most handlers answer
// without ever asking for it, so the real one, with its timer and its place
// among the session's, is made by the first question that needs it. The real
// one answers for Value too: contexts derived from this one attach to it.
type callContext struct {
	parent   context.Context // the session's
	deadline time.Time       // zero: none

	mu    sync.Mutex
	real  context.Context
	stop  context.CancelFunc
	ended bool
}

// init prepares the context of a call that may take timeout; zero is for ever.
func (c *callContext) init(parent context.Context, timeout time.Duration) {
	c.parent = parent
	if timeout > 0 {
		c.deadline = time.Now().Add(timeout)
	}
}

// cancel ends the context.
func (c *callContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.stop != nil {
		c.stop()
	}
}

// get returns the real context.
func (c *callContext) get() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real != nil {
		return c.real
	}
	if c.deadline.IsZero() {
		c.real, c.stop = context.WithCancel(c.parent)
	} else {
		c.real, c.stop = context.WithDeadline(c.parent, c.deadline)
	}
	if c.ended {
		c.stop()
	}
	return c.real
}

// Deadline makes callContext a context.Context, as do the next three.
func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *callContext) Done() <-chan struct{} { return c.get().Done() }

func (c *callContext) Err() error { return c.get().Err() }

func (c *callContext) Value(key any) any { return c.get().Value(key) }

// timedContext is the context of a call on the client that has a timeout of
// its own. It is used again by later calls, so it must not be seen by anyone
// who could keep it.
type timedContext struct{ callContext }

var timedContexts = sync.Pool{New: func() any { return new(timedContext) }}

func newTimedContext(parent context.Context, timeout time.Duration) *timedContext {
	c := timedContexts.Get().(*timedContext)
	c.init(parent, timeout)
	if by, ok := parent.Deadline(); ok && by.Before(c.deadline) {
		c.deadline = by
	}
	return c
}

// release ends the context. Nothing that the call has left behind has it.
func (c *timedContext) release() {
	c.cancel()
	c.parent, c.real, c.stop, c.ended = nil, nil, nil, false
	timedContexts.Put(c)
}

// Ends tells package socket what to wait for without asking for Done.
func (c *timedContext) Ends() (with context.Context, at time.Time) { return c.parent, c.deadline }

// Err asks for the real context only if that is there.
func (c *timedContext) Err() error {
	c.mu.Lock()
	real := c.real
	c.mu.Unlock()
	switch {
	case real != nil:
		return real.Err()
	case c.parent.Err() != nil:
		return c.parent.Err()
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// shared returns a context for those who could keep it.
func shared(ctx context.Context) context.Context {
	if c, ok := ctx.(*timedContext); ok {
		return c.get()
	}
	return ctx
}
