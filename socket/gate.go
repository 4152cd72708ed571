package socket

import (
	"context"
	"sync"
	"time"
)

// lazy is a context that ends with another one, or at a time if that is sooner.
// It needs a channel and a timer only if it is asked for Done. Package rpc has
// one for each call.
type lazy interface {
	Ends() (with context.Context, at time.Time)
}

// endsOf returns what a wait for ctx has to wait for: the end of another
// context, and a time unless it is zero.
func endsOf(ctx context.Context) (context.Context, time.Time) {
	if l, ok := ctx.(lazy); ok {
		return l.Ends()
	}
	return ctx, time.Time{}
}

// past is a deadline that makes a wait end at once.
var past = time.Unix(1, 0)

// A gate bounds the waits of one direction of a descriptor, which the runtime's
// poller serves, by contexts and time-outs. Both act through the descriptor's
// one deadline: the end of the watched context sets it into the past.
//
// Contexts tend to be either one for the whole connection or one for each
// call. So a context is watched only once a call must wait, it is forgotten
// when the call returns, and one that comes a second time is kept: then
// waiting costs nothing any more.
//
// mu orders the callback of an ended context with everything else. A callback
// of a context that is no longer watched finds another generation and does
// nothing.
type gate struct {
	setDeadline func(time.Time) error

	mu      sync.Mutex
	gen     uint64
	done    <-chan struct{} // of the context watched now
	stop    func() bool
	seen    <-chan struct{} // of the context of the call before
	keep    bool
	isSet   bool // the deadline is not zero
	at      time.Time
	expired bool // by the watched context
}

// watch makes the end of ctx interrupt the wait that follows, or the time by
// unless it is zero, and clears what an earlier context or time-out left behind.
func (g *gate) watch(ctx context.Context, by time.Time) {
	ctx, at := endsOf(ctx)
	if by.IsZero() || !at.IsZero() && at.Before(by) {
		by = at
	}
	done := ctx.Done()
	g.mu.Lock()
	defer g.mu.Unlock()
	if done != g.done || done == nil {
		g.drop()
		g.keep = done != nil && done == g.seen
		g.seen = done
		if done != nil {
			gen := g.gen
			g.done = done
			g.stop = context.AfterFunc(ctx, func() { g.expire(gen) })
		}
	}
	if (g.isSet || !by.IsZero()) && !g.expired {
		g.set(by)
	}
}

// release is called when the call that watched a context returns.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.done != nil && !g.keep {
		g.drop()
	}
}

// forget drops the context and the deadline: whoever waits next, by whatever
// way, waits as long as he likes.
func (g *gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop()
	if g.isSet {
		g.set(time.Time{})
	}
}

// move makes the gate act on another descriptor. It leaves no deadline behind, since it
// may come back.
func (g *gate) move(setDeadline func(time.Time) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isSet {
		_ = g.setDeadline(time.Time{})
	}
	g.setDeadline = setDeadline
	if g.isSet {
		g.set(g.at)
	}
}

func (g *gate) expire(gen uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gen == gen {
		g.expired = true
		g.set(past)
	}
}

// drop stops watching. Precondition: mu is held.
func (g *gate) drop() {
	if g.stop != nil {
		g.stop()
	}
	g.gen++
	g.done, g.stop, g.keep, g.expired = nil, nil, false, false
}

// set sets the descriptor's deadline. It fails only when the descriptor is
// closed, which ends all waits anyway. Precondition: mu is held.
func (g *gate) set(t time.Time) {
	g.isSet, g.at = !t.IsZero(), t
	_ = g.setDeadline(t)
}
