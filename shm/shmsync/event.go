package shmsync

import (
	"context"
	"os"
	"sync/atomic"
)

// EventSize is the size of an Event in shared memory, in bytes.
const EventSize = 8

// An Event is set and reset by any process and awaited by any. A Set that is
// followed at once by Reset still lets everybody go who waited before it.
//
//	0  word   generation(30) | waiters(1) | set(1)     generation counts Sets
//	4  reserved
type Event struct {
	place
	word *atomic.Uint32
	set  *WaitSet
}

const (
	eventSet     = 1 << 0
	eventWaiters = 1 << 1
	eventStep    = 1 << 2
)

// NewEvent returns the event at offset off, a multiple of 8, of mem. In zeroed
// memory it is not set.
func NewEvent(mem *Memory, off int64, set *WaitSet) (*Event, error) {
	p, err := placeAt(mem, off, EventSize)
	if err != nil {
		return nil, err
	}
	return &Event{place: p, word: p.word(0), set: set}, nil
}

// Set sets the event and wakes everybody.
func (e *Event) Set() error {
	return e.wrap("set", e.update(func(v uint32) uint32 { return v&^(eventWaiters|eventSet) + eventStep | eventSet }))
}

// Reset makes the event not set.
func (e *Event) Reset() error {
	return e.wrap("reset", e.update(func(v uint32) uint32 { return v &^ eventSet }))
}

// update ends when its swap succeeds: then nobody else's did.
func (e *Event) update(f func(uint32) uint32) (err error) {
	mode, open := e.mem.Begin()
	if !open {
		return os.ErrClosed
	}
	defer e.mem.End(mode, &err)
	for {
		v := e.word.Load()
		w := f(v)
		if e.word.CompareAndSwap(v, w) {
			if v&eventWaiters != 0 && w&eventWaiters == 0 {
				Wake(e.word, -1)
			}
			return nil
		}
	}
}

// IsSet reports whether the event is set.
func (e *Event) IsSet() (set bool, err error) {
	set, err = e.isSet()
	return set, e.wrap("is set", err)
}

func (e *Event) isSet() (set bool, err error) {
	mode, open := e.mem.Begin()
	if !open {
		return false, os.ErrClosed
	}
	defer e.mem.End(mode, &err)
	return e.word.Load()&eventSet != 0, nil
}

// Wait returns nil when the event is set or was set since the call began.
func (e *Event) Wait(ctx context.Context) error {
	return e.wrap("wait", e.wait(ctx))
}

func (e *Event) wait(ctx context.Context) (err error) {
	mode, open := e.mem.Begin()
	if !open {
		return os.ErrClosed
	}
	defer e.mem.End(mode, &err)
	first := e.word.Load()
	for v := first; v&eventSet == 0 && v/eventStep == first/eventStep; v = e.word.Load() {
		if v&eventWaiters == 0 && !e.word.CompareAndSwap(v, v|eventWaiters) {
			continue
		}
		if err := e.set.wait(ctx, e.word, v|eventWaiters, maxProbe); err != nil {
			return err
		}
	}
	return nil
}
