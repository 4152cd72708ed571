package shmsync

import (
	"sync/atomic"
	"time"
)

// pollParker is the portable parker: it sleeps on a Go timer, not in the
// kernel, and lets the WaitSet look at the words in growing intervals. It
// parks no thread at all.
type pollParker struct {
	cancel atomic.Uint32
	poked  chan struct{}
	timer  *time.Timer
	round  int    // polls since the ticket changed
	last   uint32 // the ticket of the last park
	first  pair
}

// A poll starts at pollMin and backs off to pollMax, which bounds how late a
// change is seen by a process that has waited for long.
const (
	pollMin = 50 * time.Microsecond
	pollMax = 8 * time.Millisecond
)

func newPollParker() *pollParker {
	p := &pollParker{poked: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	p.timer.Stop()
	return p
}

func (p *pollParker) limit() int     { return 1 << 20 }
func (p *pollParker) ticket() uint32 { return p.cancel.Load() }

func (p *pollParker) poke() {
	p.cancel.Add(1)
	select {
	case p.poked <- struct{}{}:
	default:
	}
}

func (p *pollParker) park(pairs []pair, ticket uint32, deadline time.Time) int {
	if ticket != p.last || pairs[0] != p.first {
		p.last, p.first, p.round = ticket, pairs[0], 0
	}
	if p.cancel.Load() != ticket {
		return -1
	}
	d := pollMax
	if p.round < 8 {
		d = min(pollMin<<p.round, pollMax)
	}
	p.round++
	p.timer.Reset(min(d, time.Until(deadline)))
	select {
	case <-p.timer.C:
	case <-p.poked:
		p.timer.Stop()
	}
	return -1
}
