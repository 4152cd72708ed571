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
	session  context.Context
	deadline time.Time // zero: none

	mu    sync.Mutex
	real  context.Context
	stop  context.CancelFunc
	ended bool
}

// init prepares the context of a call that may take timeout; zero is for ever.
func (c *callContext) init(session context.Context, timeout time.Duration) {
	c.session = session
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
		c.real, c.stop = context.WithCancel(c.session)
	} else {
		c.real, c.stop = context.WithDeadline(c.session, c.deadline)
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
