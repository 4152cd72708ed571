//go:build unix

package shmsync

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

// A follower's bound holds, however long the leader means to sleep.
func TestBoundOfFollower(t *testing.T) {
	eachParker(t, func(t *testing.T, s *WaitSet) {
		is := is.New(t)
		var w atomic.Uint32
		leader := make(chan error)
		go func() { leader <- s.Wait(t.Context(), &w, 0, 0) }()
		waitUntil(t, "the leader sleeps", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.parked
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		is.NoErr(s.Wait(ctx, &w, 0, 5*time.Millisecond))
		is.NoErr(ctx.Err())
		s.Close()
		<-leader
	})
}

// Who was woken says so, even if its context has ended meanwhile: it has the wake-up.
func TestWokenThoughEnded(t *testing.T) {
	eachParker(t, func(t *testing.T, s *WaitSet) {
		is := is.New(t)
		var w [2]atomic.Uint32 // the leader's and the follower's
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error)
		for i := range w {
			go func() { done <- s.Wait(ctx, &w[i], 0, 0) }()
			waitUntil(t, "it joins", func() bool { return s.size() == i+1 })
		}
		s.mu.Lock()
		for i := range w {
			w[i].Store(1)
		}
		s.settle(-1) // what a leader does that was woken
		cancel()
		s.mu.Unlock()
		for range w {
			is.NoErr(<-done)
		}
	})
}

// endsUnseen ends right after a leader has looked at it for the first time, and only
// when the leader has been poked for it.
type endsUnseen struct {
	context.Context
	cancel context.CancelFunc
	s      *WaitSet
	looks  atomic.Int32
}

func (e *endsUnseen) Err() error {
	err := e.Context.Err()
	if e.looks.Add(1) == 2 { // the first look is before it joins
		before := e.s.park.ticket()
		e.cancel()
		for e.s.park.ticket() == before {
			runtime.Gosched()
		}
	}
	return err
}

// A poke that comes before the leader has its ticket is not lost.
func TestEndBeforeTheTicket(t *testing.T) {
	eachParker(t, func(t *testing.T, s *WaitSet) {
		is := is.New(t)
		var w atomic.Uint32
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := s.Wait(&endsUnseen{Context: ctx, cancel: cancel, s: s}, &w, 0, 30*time.Second)
		is.True(errors.Is(err, context.Canceled))
	})
}

// counted counts the sleeps of a parker.
type counted struct {
	parker
	parks int
}

func (c *counted) park(pairs []pair, ticket uint32, deadline time.Time) int {
	c.parks++
	return c.parker.park(pairs, ticket, deadline)
}

// A bounded wait sleeps: it does not look again and again until its time has come.
func TestBoundedWaitSleeps(t *testing.T) {
	eachParker(t, func(t *testing.T, s *WaitSet) {
		is := is.New(t)
		c := &counted{parker: s.park}
		s.park = c
		var w atomic.Uint32
		is.NoErr(s.Wait(t.Context(), &w, 0, 40*time.Millisecond))
		is.True(c.parks > 0 && c.parks < 100)
	})
}
