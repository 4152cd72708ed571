//go:build unix

package shmsync

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

// A sleeper has nothing but wake-ups: unlike who waits for a lock, it does not
// look again by itself.
type sleeper chan error

// sleepOn puts n sleepers to sleep on w, each as in a process of its own.
func sleepOn(t *testing.T, n int, w *atomic.Uint32) sleeper {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	done := make(sleeper, n)
	old := w.Load()
	for range n {
		set := NewWaitSet()
		t.Cleanup(func() { set.Close() })
		go func() {
			err := set.Wait(ctx, w, old, 0)
			if ctx.Err() != nil { // the word has changed: it may have been that, and no wake-up
				err = ctx.Err()
			}
			done <- err
		}()
	}
	untilAsleep(t, n, w)
	return done
}

// endsIn is a context that ends in the moment in which a waiter asks for its end.
type endsIn struct {
	context.Context
	moment func()
}

func (e endsIn) Err() error {
	e.moment()
	return context.Canceled
}

// A waiter that gives up just when the mutex came free may have had the wake-up that
// was meant for all: it wakes the next one, and leaves the mark of those who sleep.
func TestLeavingWaiterPassesOn(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	mem := Plain(make([]byte, 64))
	a, b := newMutex(t, mem, join(t, f)), newMutex(t, mem, join(t, f))
	is.NoErr(a.Lock(t.Context()))
	var other sleeper
	err := b.Lock(endsIn{t.Context(), func() {
		is.NoErr(a.Unlock()) // its wake-up is spent
		other = sleepOn(t, 1, a.word)
	}})
	is.True(errors.Is(err, context.Canceled))
	is.NoErr(<-other)
	is.Equal(a.word.Load(), uint32(waitersBit))
}

// Where the mutex is locked, its owner's Unlock wakes the next one.
func TestLeavingWaiterLeavesTheMark(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	mem := Plain(make([]byte, 64))
	a, b := newMutex(t, mem, join(t, f)), newMutex(t, mem, join(t, f))
	is.NoErr(a.Lock(t.Context()))
	err := b.Lock(endsIn{t.Context(), func() {
		is.NoErr(a.Unlock())
		is.NoErr(a.Lock(t.Context())) // another owner, who knows of no sleeper
	}})
	is.True(errors.Is(err, context.Canceled))
	other := sleepOn(t, 1, a.word)
	is.NoErr(a.Unlock())
	is.NoErr(<-other)
}

// The flag says that somebody sleeps, not how many: a release wakes all who do.
func TestReleaseWakesAll(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	mem := Plain(make([]byte, SemaphoreSize(1)))
	s, err := NewSemaphore(mem, 0, 1, join(t, f))
	is.NoErr(err)
	is.NoErr(s.Acquire(t.Context()))
	const n = 3
	others := sleepOn(t, n, s.changes)
	s.waiting.Store(1)
	is.NoErr(s.Release())
	for range n {
		is.NoErr(<-others)
	}
	is.Equal(s.waiting.Load(), uint32(0))
}
