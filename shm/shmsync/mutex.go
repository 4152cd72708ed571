package shmsync

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// MutexSize is the size of a Mutex in shared memory, in bytes.
const MutexSize = 8

// A Mutex excludes goroutines and processes from each other. If its owner dies
// the next Lock succeeds with ErrOwnerDead; nobody waits for the dead.
//
//	0  word  waiters(1) | inconsistent(1) | owner(30)    owner 0: unlocked
//	4  reserved
//
// Lock is word 0 -> owner; a waiter sets the waiters bit before it sleeps, and
// Unlock wakes one sleeper if it is set. It is a flag because a counter would
// keep counting waiters that died. A waiter sleeps at most 250 ms before it
// asks the kernel again whether the owner lives: that is also the longest
// delay after a wake-up that died with the process it woke.
type Mutex struct {
	place
	word *atomic.Uint32
	self *Member
}

const (
	waitersBit      = 1 << 31
	inconsistentBit = 1 << 30
)

// Bounds of a sleep before the owner is probed again.
const (
	firstProbe = 2 * time.Millisecond
	maxProbe   = 250 * time.Millisecond
)

// ErrOwnerDead is returned by a Lock that succeeded after the previous owner
// died in the critical section. Check and repair what the mutex protects, then
// call Repaired; without it the next Lock returns ErrOwnerDead too.
var ErrOwnerDead = errors.New("the previous owner died while it held the lock (you hold it now: repair, then call Repaired)")

// ErrNotOwner is returned by an Unlock of what this handle does not hold.
var ErrNotOwner = errors.New("not locked by this handle")

// NewMutex returns the mutex at offset off, a multiple of 8, of mem. Zeroed
// memory is an unlocked mutex.
func NewMutex(mem *Memory, off int64, self *Member) (*Mutex, error) {
	p, err := placeAt(mem, off, MutexSize)
	if err != nil {
		return nil, err
	}
	return &Mutex{place: p, word: p.word(0), self: self}, nil
}

// Lock takes the mutex. ErrOwnerDead means that it is taken, too. It ends with
// an error that wraps ctx.Err() when ctx ends first, and with os.ErrClosed
// when the memory is closed.
func (m *Mutex) Lock(ctx context.Context) error {
	if ok, err := m.swap(0, m.self.id); ok {
		return nil
	} else if err != nil {
		return m.wrap("lock", err)
	}
	dead, err := m.lockSlow(ctx)
	if err == nil && dead {
		err = ErrOwnerDead
	}
	return m.wrap("lock", err)
}

// TryLock takes the mutex if nobody alive holds it. It never sleeps.
func (m *Mutex) TryLock() (bool, error) {
	if ok, err := m.swap(0, m.self.id); ok || err != nil {
		return ok, m.wrap("try lock", err)
	}
	ok, dead, err := m.tryOnce()
	if err == nil && dead {
		err = ErrOwnerDead
	}
	return ok, m.wrap("try lock", err)
}

// swap is one guarded CompareAndSwap.
func (m *Mutex) swap(old, new uint32) (ok bool, err error) {
	mode, open := m.mem.Begin()
	if !open {
		return false, os.ErrClosed
	}
	defer m.mem.End(mode, &err)
	return m.word.CompareAndSwap(old, new), nil
}

func (m *Mutex) tryOnce() (ok, dead bool, err error) {
	mode, open := m.mem.Begin()
	if !open {
		return false, false, os.ErrClosed
	}
	defer m.mem.End(mode, &err)
	if v := m.word.Load(); v&idMask == 0 {
		ok, dead = m.take(v, 0)
	} else {
		ok, dead, err = m.takeFromDead(v)
	}
	return ok, dead, err
}

// take turns the unlocked value v into one that names us.
func (m *Mutex) take(v, waiters uint32) (ok, dead bool) {
	ok = m.word.CompareAndSwap(v, v|m.self.id|waiters)
	return ok, ok && v&inconsistentBit != 0
}

// takeFromDead takes the mutex from the owner in v if that owner is dead.
func (m *Mutex) takeFromDead(v uint32) (ok, dead bool, err error) {
	_, err = m.self.ifDead(v&idMask, func() {
		// Nobody can have this id now, so the word cannot come back to v by a
		// new owner: this swap is not an ABA. Others may be asleep: keep the bit.
		ok = m.word.CompareAndSwap(v, m.self.id|inconsistentBit|waitersBit)
	})
	return ok, ok, err
}

// lockSlow ends when it has taken the mutex or Wait returns an error.
func (m *Mutex) lockSlow(ctx context.Context) (dead bool, err error) {
	mode, open := m.mem.Begin()
	if !open {
		return false, os.ErrClosed
	}
	defer m.mem.End(mode, &err)
	spin(func() bool { return m.word.Load()&idMask == 0 })
	var slept uint32 // waitersBit once we have slept: others may still sleep
	for pause := firstProbe; ; pause = min(2*pause, maxProbe) {
		for v := m.word.Load(); v&idMask == 0; v = m.word.Load() {
			if ok, dead := m.take(v, slept); ok {
				return dead, nil
			}
		}
		v := m.word.Load()
		if v&idMask == 0 {
			continue // unlocked since: no owner is not a dead owner
		}
		if ok, dead, err := m.takeFromDead(v); ok || err != nil {
			return dead, err
		}
		if v&waitersBit == 0 && !m.word.CompareAndSwap(v, v|waitersBit) {
			continue
		}
		slept = waitersBit
		// SYNC(unlock): Unlock -> Lock
		if err := m.self.set.wait(ctx, m.word, v|waitersBit, pause); err != nil {
			m.passOn()
			return false, err
		}
	}
}

// passOn hands the wake-up on that a leaving waiter may have received: Unlock
// cleared the bit and woke one, and if that one does not take the mutex,
// nobody else would learn of it before its next probe.
func (m *Mutex) passOn() {
	if m.word.Or(waitersBit)&idMask == 0 {
		Wake(m.word, 1)
	}
}

// Unlock releases the mutex. ErrNotOwner means that this handle does not hold it.
func (m *Mutex) Unlock() error {
	if ok, err := m.swap(m.self.id, 0); ok {
		return nil
	} else if err != nil {
		return m.wrap("unlock", err)
	}
	return m.wrap("unlock", m.unlockSlow())
}

func (m *Mutex) unlockSlow() (err error) {
	mode, open := m.mem.Begin()
	if !open {
		return os.ErrClosed
	}
	defer m.mem.End(mode, &err)
	for {
		v := m.word.Load()
		if v&idMask != m.self.id {
			return ErrNotOwner
		}
		// SYNC(unlock): Unlock -> Lock
		if m.word.CompareAndSwap(v, v&inconsistentBit) {
			if v&waitersBit != 0 {
				Wake(m.word, 1)
			}
			return nil
		}
	}
}

// Repaired declares what the mutex protects whole again after ErrOwnerDead.
// The caller holds the lock.
func (m *Mutex) Repaired() error { return m.wrap("repaired", m.repaired()) }

func (m *Mutex) repaired() (err error) {
	mode, open := m.mem.Begin()
	if !open {
		return os.ErrClosed
	}
	defer m.mem.End(mode, &err)
	if m.word.Load()&idMask != m.self.id {
		return ErrNotOwner
	}
	m.word.And(^uint32(inconsistentBit))
	return nil
}

// spin looks for done for about a microsecond, which is what a short critical
// section takes and a fiftieth of what sleeping and waking takes.
func spin(done func() bool) {
	for range 200 {
		if done() {
			return
		}
	}
}
