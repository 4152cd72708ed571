//go:build darwin && !ipcportable

package shmsync

import (
	"sync/atomic"
	"time"
)

// hasFutex says that a waiter can sleep in the kernel on the word itself, on
// most versions of the system.
const hasFutex = true

func newParker() parker { return &addressParker{pollParker: newPollParker()} }

// addressParker sleeps on the first word in slices if this system has a call
// for it that passes a test, and polls otherwise.
type addressParker struct {
	*pollParker
	chosen bool // the leader's, as is wait
	wait   func(w *atomic.Uint32, old uint32, d time.Duration)
}

func (p *addressParker) park(pairs []pair, ticket uint32, deadline time.Time) int {
	if !p.chosen {
		p.chosen = true
		if sleepWorks() {
			p.wait = func(w *atomic.Uint32, old uint32, d time.Duration) { _ = addressWait(w, old, d) }
		}
	}
	if p.wait == nil {
		return p.pollParker.park(pairs, ticket, deadline)
	}
	return parkSlice(pairs, &p.cancel, ticket, deadline, p.wait)
}

// sleepWorks tries the system's call: a wait for a change that does not come
// must end by its timeout, and a wait for one that came must not.
func sleepWorks() bool {
	w := new(atomic.Uint32)
	w.Store(1)
	return addressWait(w, 1, 200*time.Microsecond) == waitTimedOut && addressWait(w, 0, time.Second) == waitEnded
}

type waitResult int

const (
	waitEnded waitResult = iota // woken, or the word differs, or for no reason
	waitTimedOut
	waitFailed // the system has no such call, or it does not work
)
