//go:build (linux || darwin) && !ipcportable

package shmsync

import (
	"sync/atomic"
	"time"
)

// addressParker sleeps on the first word in slices, if the system's call for
// it passes a test, and polls otherwise. It is macOS's, and Linux's in tests.
type addressParker struct {
	*pollParker
	wait   wordWait
	chosen bool // the leader's, as is works
	works  bool
}

func (p *addressParker) park(pairs []pair, ticket uint32, deadline time.Time) int {
	if !p.chosen {
		p.chosen, p.works = true, sleepWorks(p.wait)
	}
	if !p.works {
		return p.pollParker.park(pairs, ticket, deadline)
	}
	return parkSlice(pairs, &p.cancel, ticket, deadline, p.wait)
}

// sleepWorks tries the call: a wait for a change that does not come must end
// by its timeout, and a wait for one that came must not.
func sleepWorks(wait wordWait) bool {
	w := new(atomic.Uint32)
	w.Store(1)
	return wait(w, 1, 200*time.Microsecond) == waitTimedOut && wait(w, 0, time.Second) == waitEnded
}
