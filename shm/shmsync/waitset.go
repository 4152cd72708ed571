package shmsync

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A WaitSet lets any number of goroutines wait on any number of 32-bit words
// in shared memory with at most one parked OS thread for the whole set.
//
//	leader      the one waiter that sleeps in the kernel, on every distinct word
//	            of the set and on a private cancel word (FUTEX_WAITV)
//	follower    every other waiter; sleeps on a Go channel
//
// A leader that leaves hands over to a follower. A single waiter is its own
// leader: no other goroutine takes part, and nothing is allocated.
//
// The words must stay mapped until their Wait has returned. A system that can
// sleep on one word only (Linux before 5.16, macOS) makes the leader sleep on
// the first in slices of 4 ms; where it cannot sleep on a shared word at all,
// the leader polls at intervals of up to 8 ms.
type WaitSet struct {
	mu      sync.Mutex
	closed  bool
	leader  *waiter
	waiters []*waiter // everybody in the set, the leader included
	free    []*waiter // to be used again

	parked   bool   // the leader sleeps or is about to, watching pairs until wakeAt
	pairs    []pair // written by the leader under mu, read by it without
	wakeAt   time.Time
	rotation int

	park parker
}

type waiter struct {
	pair
	index    int // in waiters; -1 when it has left or was signalled
	deadline time.Time
	signal   chan signal // one value at most: a signalled waiter has left waiters, or leads
}

type signal byte

const (
	signalReady signal = iota
	signalLead
	signalClosed
)

// farAway bounds a sleep without a deadline: nothing depends on its length.
const farAway = time.Hour

// NewWaitSet makes an empty set. It holds no kernel resources.
func NewWaitSet() *WaitSet { return &WaitSet{park: newParker()} }

// Wait returns nil when *w != old, after a Wake of w by any process, after max
// has passed (max <= 0 sets no bound), or for no reason: callers look again.
// Change the word before Wake: a wake alone can pass between two sleeps.
//
// It returns an error that wraps ctx.Err() when ctx ends, and os.ErrClosed
// after Close. A fault on w is a panic in the calling goroutine, which guards
// its own accesses.
func (s *WaitSet) Wait(ctx context.Context, w *atomic.Uint32, old uint32, max time.Duration) error {
	if err := s.wait(ctx, w, old, max); err != nil {
		return fmt.Errorf("shmsync: wait: %w", err)
	}
	return nil
}

// wait is Wait with bare errors.
func (s *WaitSet) wait(ctx context.Context, w *atomic.Uint32, old uint32, max time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.Load() != old { // outside the lock: this may fault
		return nil
	}
	if max <= 0 {
		max = farAway
	}
	me, leads, err := s.join(pair{w, old}, time.Now().Add(max))
	if err != nil {
		return err
	}
	if leads {
		return s.lead(ctx, me)
	}
	return s.follow(ctx, me)
}

// Wake wakes up to n sleepers on w in all processes, all of them if n < 0, and
// returns how many threads the kernel woke: 0 where waiters poll. Every
// goroutine of a woken WaitSet that waits on w returns.
func Wake(w *atomic.Uint32, n int) (woken int) { return futexWake(w, n) }

// Close ends every Wait of the set with os.ErrClosed, now and later.
func (s *WaitSet) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for i := len(s.waiters) - 1; i >= 0; i-- {
		if m := s.waiters[i]; m != s.leader {
			s.remove(m)
			m.signal <- signalClosed
		}
	}
	s.park.poke()
	return nil
}

// join adds a waiter; the first one leads.
func (s *WaitSet) join(p pair, deadline time.Time) (me *waiter, leads bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, os.ErrClosed
	}
	if n := len(s.free); n > 0 {
		me, s.free = s.free[n-1], s.free[:n-1]
	} else {
		me = &waiter{signal: make(chan signal, 1)}
	}
	me.pair, me.deadline, me.index = p, deadline, len(s.waiters)
	s.waiters = append(s.waiters, me)
	if s.leader == nil {
		s.leader = me
		return me, true, nil
	}
	if s.parked && (!s.watches(p) || deadline.Before(s.wakeAt)) {
		s.parked = false // one poke is enough
		s.park.poke()
	}
	return me, false, nil
}

// watches reports whether the sleeping leader would notice p.
func (s *WaitSet) watches(p pair) bool {
	for _, q := range s.pairs {
		if q == p {
			return true
		}
	}
	return false
}

// remove takes m out of the set. Preconditions: mu is held, m is in the set.
func (s *WaitSet) remove(m *waiter) {
	last := len(s.waiters) - 1
	s.waiters[m.index] = s.waiters[last]
	s.waiters[m.index].index = m.index
	s.waiters[last] = nil
	s.waiters = s.waiters[:last]
	m.index = -1
}

// recycle keeps m for the next waiter. Preconditions: mu is held, m is out of
// the set and its channel is empty.
func (s *WaitSet) recycle(m *waiter) {
	m.pair = pair{}
	if len(s.free) < 64 {
		s.free = append(s.free, m)
	}
}

// follow waits for a signal or the end of ctx.
func (s *WaitSet) follow(ctx context.Context, me *waiter) error {
	var got signal
	select {
	case got = <-me.signal:
	case <-ctx.Done():
		s.mu.Lock()
		if me.index >= 0 && s.leader != me { // nobody has signalled
			s.remove(me)
			s.recycle(me)
			s.mu.Unlock()
			return ctx.Err()
		}
		s.mu.Unlock()
		got = <-me.signal // was sent under mu
	}
	if got == signalLead {
		return s.lead(ctx, me)
	}
	s.mu.Lock()
	s.recycle(me)
	s.mu.Unlock()
	if got == signalClosed {
		return os.ErrClosed
	}
	return nil // even if ctx has ended: the wake-up must not be lost
}

// lead sleeps for the whole set until its own wait is over, then hands over.
// The loop ends when me was woken, ctx ended, me's deadline passed, or Close.
func (s *WaitSet) lead(ctx context.Context, me *waiter) error {
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, s.park.poke)()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for me.index >= 0 && !s.closed && ctx.Err() == nil {
		ticket := s.park.ticket()
		if ctx.Err() != nil { // ended before the ticket: its poke may be past
			break
		}
		s.plan()
		s.parked = true
		s.mu.Unlock()
		woken := s.park.park(s.pairs, ticket, s.wakeAt)
		s.mu.Lock()
		s.parked = false
		s.settle(woken)
	}
	ready := me.index < 0
	if !ready {
		s.remove(me)
	}
	s.recycle(me)
	s.leader = nil
	if s.closed {
		return os.ErrClosed
	}
	if n := len(s.waiters); n > 0 {
		s.leader = s.waiters[n-1]
		s.leader.signal <- signalLead
	}
	if !ready {
		return ctx.Err()
	}
	return nil
}

// plan collects what the leader watches: each distinct pair once, and the
// earliest deadline. More pairs than one sleep can watch take turns.
func (s *WaitSet) plan() {
	s.pairs = s.pairs[:0]
	s.wakeAt = s.waiters[0].deadline
	n := len(s.waiters)
	full := false
	for i := range n {
		m := s.waiters[(i+s.rotation)%n]
		if m.deadline.Before(s.wakeAt) {
			s.wakeAt = m.deadline
		}
		switch {
		case s.watches(m.pair):
		case len(s.pairs) < s.park.limit():
			s.pairs = append(s.pairs, m.pair)
		default:
			full = true
		}
	}
	if full {
		s.rotation += s.park.limit()
		if soon := time.Now().Add(overflowTurn); soon.Before(s.wakeAt) {
			s.wakeAt = soon
		}
	}
}

// overflowTurn is the sleep of a leader that cannot watch all words at once.
const overflowTurn = 4 * time.Millisecond

// settle lets everybody go whose wait is over: the word was woken, differs,
// or has become inaccessible, or the deadline has passed.
func (s *WaitSet) settle(woken int) {
	var w *atomic.Uint32
	if woken >= 0 {
		w = s.pairs[woken].word
	}
	now := time.Now()
	for i := len(s.waiters) - 1; i >= 0; i-- {
		m := s.waiters[i]
		if m.word != w && now.Before(m.deadline) && !changed(m.pair) {
			continue
		}
		s.remove(m)
		if m != s.leader {
			m.signal <- signalReady
		}
	}
}

// changed reports whether *p.word != p.old. A word that faults has changed:
// its own waiter then meets the fault under its own guard.
func changed(p pair) (yes bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			yes = true
		}
	}()
	return p.word.Load() != p.old
}
