//go:build linux && !ipcportable

package shmsync

import (
	"sync/atomic"
	"time"
)

// waitvMax is FUTEX_WAITV_MAX; one entry is for the cancel word.
const waitvMax = 128

// newParker picks FUTEX_WAITV, and the sliced wait once the kernel has said
// that it lacks it.
func newParker() parker { return &waitvParker{base: time.Now(), zero: monotonic()} }

// waitvParker sleeps on all words and on a private cancel word at once.
type waitvParker struct {
	cancel atomic.Uint32
	base   time.Time // the instant that CLOCK_MONOTONIC called zero
	zero   int64
	vec    [waitvMax]futexWaiter // the leader's
	sliced bool                  // the leader's: this kernel has no FUTEX_WAITV
}

func (p *waitvParker) limit() int     { return waitvMax - 1 }
func (p *waitvParker) ticket() uint32 { return p.cancel.Load() }

func (p *waitvParker) poke() {
	p.cancel.Add(1)
	futexWakePrivate(&p.cancel)
}

func (p *waitvParker) park(pairs []pair, ticket uint32, deadline time.Time) int {
	if p.sliced {
		return parkSlice(pairs, &p.cancel, ticket, deadline, futexWait)
	}
	for i, x := range pairs {
		p.vec[i] = watch(x.word, x.old, futexShared32)
	}
	n := len(pairs)
	p.vec[n] = watch(&p.cancel, ticket, futexLocal32)
	woken, err := futexWaitv(p.vec[:n+1], p.zero+int64(deadline.Sub(p.base)))
	if err != nil {
		p.sliced = true
	}
	if woken == n {
		return -1
	}
	return woken
}
