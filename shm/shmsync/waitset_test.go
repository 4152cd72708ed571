//go:build unix

package shmsync

import (
	"context"
	"errors"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

// parkers are all ways to sleep that this build has; every WaitSet test runs
// over each of them.
func parkers() map[string]func() *WaitSet {
	m := map[string]func() *WaitSet{
		"native":  NewWaitSet,
		"polling": func() *WaitSet { return &WaitSet{park: newPollParker()} },
	}
	maps.Copy(m, platformParkers())
	return m
}

func eachParker(t *testing.T, f func(t *testing.T, s *WaitSet)) {
	for name, make := range parkers() {
		t.Run(name, func(t *testing.T) {
			s := make()
			defer s.Close()
			f(t, s)
		})
	}
}

// waitUntil waits for a condition; the watchdog is generous, the machine may
// be busy.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// slow: with many words, each hop of a relay takes a slice or a poll.
func (s *WaitSet) slow() bool {
	_, polling := s.park.(*pollParker)
	return polling || isSliced(s)
}

func (s *WaitSet) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiters)
}

func TestWaitReturnsOnChangeAndDeadline(t *testing.T) {
	eachParker(t, func(t *testing.T, s *WaitSet) {
		is := is.New(t)
		var w atomic.Uint32
		is.NoErr(s.Wait(t.Context(), &w, 1, 0))                           // differs already
		is.NoErr(s.Wait(context.Background(), &w, 0, 5*time.Millisecond)) // max passes
		done := make(chan error)
		go func() { done <- s.Wait(context.Background(), &w, 0, 0) }()
		waitUntil(t, "the waiter joins", func() bool { return s.size() == 1 })
		w.Store(1)
		Wake(&w, 1)
		is.NoErr(<-done)
		is.Equal(s.size(), 0)
	})
}

func TestWaitEndsWithContextAndClose(t *testing.T) {
	eachParker(t, func(t *testing.T, s *WaitSet) {
		is := is.New(t)
		var w [3]atomic.Uint32
		ctx, cancel := context.WithCancelCause(t.Context())
		errs := make(chan error)
		for i := range 30 {
			go func() { errs <- s.Wait(ctx, &w[i%3], 0, 0) }()
		}
		waitUntil(t, "30 waiters join", func() bool { return s.size() == 30 })
		cancel(nil)
		for range 30 {
			is.True(errors.Is(<-errs, context.Canceled))
		}
		is.Equal(s.size(), 0)

		for i := range 30 {
			go func() { errs <- s.Wait(context.Background(), &w[i%3], 0, 0) }()
		}
		waitUntil(t, "30 waiters join", func() bool { return s.size() == 30 })
		is.NoErr(s.Close())
		for range 30 {
			is.True(errors.Is(<-errs, os.ErrClosed))
		}
		is.True(errors.Is(s.Wait(t.Context(), &w[0], 0, 0), os.ErrClosed))
	})
}

// Every waiter of every word must see its own change, whoever leads: a relay
// of tokens through many words, with waiters that give up at random.
func TestWaitRelay(t *testing.T) {
	eachParker(t, func(t *testing.T, s *WaitSet) {
		const words = 8
		rounds := uint32(200)
		if testing.Short() || s.slow() {
			rounds = 40
		}
		var w [words]atomic.Uint32
		var wg sync.WaitGroup
		for i := range words {
			wg.Go(func() {
				next := &w[(i+1)%words]
				for n := uint32(1); n <= rounds; n++ {
					for w[i].Load() < n {
						ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+i)*time.Millisecond)
						if i%2 == 0 {
							ctx = context.Background()
						}
						old := w[i].Load()
						if old < n {
							_ = s.Wait(ctx, &w[i], old, 0)
						}
						cancel()
					}
					next.Add(1)
					Wake(next, 1)
				}
			})
		}
		w[0].Add(1)
		Wake(&w[0], 1)
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(2 * time.Minute):
			t.Fatal("the relay hangs")
		}
	})
}

// More words than one sleep can watch.
func TestWaitManyWords(t *testing.T) {
	eachParker(t, func(t *testing.T, s *WaitSet) {
		is := is.New(t)
		w := make([]atomic.Uint32, 300)
		if testing.Short() {
			w = w[:150]
		}
		errs := make(chan error)
		for i := range w {
			go func() { errs <- s.Wait(context.Background(), &w[i], 0, 0) }()
		}
		waitUntil(t, "everybody joins", func() bool { return s.size() == len(w) })
		for i := range w {
			w[len(w)-1-i].Store(1)
			Wake(&w[len(w)-1-i], 1)
			is.NoErr(<-errs)
		}
	})
}

func TestWaitAllocatesNothing(t *testing.T) {
	is := is.New(t)
	s := NewWaitSet()
	defer s.Close()
	var w atomic.Uint32
	is.Equal(testing.AllocsPerRun(100, func() { _ = s.Wait(context.Background(), &w, 0, time.Microsecond) }), 0.0)
}
