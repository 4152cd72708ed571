//go:build unix

package shmsync

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm/internal/waittest"
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

// The flag says that somebody sleeps, not how many: a release and a set wake all who do.
func TestWakesAll(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	m := join(t, f)
	mem := Plain(make([]byte, 64))
	s, err := NewSemaphore(mem, 0, 1, m)
	is.NoErr(err)
	e, err := NewEvent(mem, 32, m.set)
	is.NoErr(err)
	const n = 3
	for range 2 { // the flag comes back
		is.NoErr(s.Acquire(t.Context()))
		others := sleepOn(t, n, s.changes)
		s.waiting.Store(1)
		is.NoErr(s.Release())
		for range n {
			is.NoErr(<-others)
		}
		is.Equal(s.waiting.Load(), uint32(0))

		is.NoErr(e.Reset())
		e.word.Or(eventWaiters)
		others = sleepOn(t, n, e.word)
		is.NoErr(e.Set())
		for range n {
			is.NoErr(<-others)
		}
		is.Equal(e.word.Load()&eventWaiters, uint32(0))
	}
}

// What happens between a waiter's last look and its sleep keeps it from sleeping, and
// wakes those who sleep already: the waiter has said before that somebody may.
func TestNoSleepAfterTheChange(t *testing.T) {
	f := tempFile(t)
	mem := Plain(make([]byte, 64))
	a, b := join(t, f), join(t, f)
	ma, mb := newMutex(t, mem, a), newMutex(t, mem, b)
	semaphore := func(m *Member) *Semaphore {
		s, err := NewSemaphore(mem, 8, 1, m)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sa, sb := semaphore(a), semaphore(b)
	e, err := NewEvent(mem, 32, b.set)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		word           *atomic.Uint32
		before, change func() error
		wait           func(context.Context) error
	}{
		"mutex":     {ma.word, func() error { return ma.Lock(t.Context()) }, ma.Unlock, mb.Lock},
		"semaphore": {sa.changes, func() error { return sa.Acquire(t.Context()) }, sa.Release, sb.Acquire},
		"event":     {e.word, e.Reset, e.Set, e.Wait},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(c.before())
			slept := false
			change := sync.OnceFunc(func() {
				other := sleepOn(t, 1, c.word)
				is.NoErr(c.change())
				is.NoErr(<-other)
			})
			is.NoErr(c.wait(waittest.Awake{Context: t.Context(), Moment: change, Slept: &slept}))
			is.True(!slept)
		})
	}
}
