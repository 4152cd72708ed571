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
	slice  slicedParker
}

func (p *waitvParker) limit() int     { return waitvMax - 1 }
func (p *waitvParker) ticket() uint32 { return p.cancel.Load() }

func (p *waitvParker) poke() {
	p.cancel.Add(1)
	futexWake(&p.cancel, 1, futexPrivate)
}

func (p *waitvParker) park(pairs []pair, ticket uint32, deadline time.Time) int {
	if p.sliced {
		return p.slice.park(pairs, &p.cancel, ticket, deadline)
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

// slicedParker is for kernels before 5.16: it sleeps on the first word in
// slices, so that a change of the other words or a poke is seen a slice later.
type slicedParker struct{}

// slice bounds how late a poke is noticed without FUTEX_WAITV.
const slice = 4 * time.Millisecond

func (slicedParker) park(pairs []pair, cancel *atomic.Uint32, ticket uint32, deadline time.Time) int {
	if cancel.Load() != ticket {
		return -1
	}
	d := min(time.Until(deadline), slice)
	if d > 0 {
		futexWait(pairs[0].word, pairs[0].old, d)
	}
	return -1
}
