package rpc

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/socket/internal/cpu"
)

// Two callers. If one slept until the other, who reads, has met its reply, then
// waking it would take longer than the call, and the thread that the runtime wakes for
// it would take a CPU from the server. So it follows: it polls for its reply, and reads
// on when the reader leaves.
//
//	A   lead ── reads ─┬── A's reply ─▶ leaves      follow …
//	B   follow ────────┴───────────────▶ lead ── reads ─┬── B's reply ─▶ leaves
//
// With three that takes more than it gives, where there are two CPUs.
type following struct {
	times uint  // that somebody has followed, or has not for lack of success
	vain  uint8 // times in a row for nothing, up to followVain

	backoff cpu.Backoff // from a CPU that others want
}

const (
	followPerCheck = 8 // looks between two at the clock

	// After followVain times for nothing it is tried only every followRetry-th time.
	followVain  = 4
	followRetry = 32
)

// allFollowers is how many callers follow, on all connections of this process. Each is of
// use only while another caller reads, so half of the processors is the most.
var allFollowers atomic.Int32

// beginFollowing reports whether to follow promises something, and counts who then has
// to. Precondition: mu is held.
func (l *link) beginFollowing() bool {
	r := &l.reading
	if r.few < fewSure || r.streams > 0 || l.spin <= 0 {
		return false
	}
	r.times++
	if r.vain == followVain && r.times%followRetry != 0 || r.backoff.Active() {
		return false
	}
	if allFollowers.Add(1) > l.procs/2 {
		allFollowers.Add(-1)
		return false
	}
	return true
}

// follow polls for the reply of p. It returns true if the caller is the reader now, as
// lead does; else the result has come, or the reader will pass it on. Precondition: the
// caller is a follower.
func (l *link) follow(p *pending) bool {
	defer allFollowers.Add(-1)
	now := cpu.Clock()
	before := now
	for end := now + l.spin; ; before, now = now, cpu.Clock() {
		for range followPerCheck {
			if len(p.done) > 0 || l.reading.by.Load() == byNobody {
				return l.endFollowing(p, true, before, now)
			}
		}
		if now >= end {
			return l.endFollowing(p, false, before, now)
		}
		cpu.Yield()
	}
}

// endFollowing ends what beginFollowing began. before and now are when it last looked at
// the clock.
func (l *link) endFollowing(p *pending, found bool, before, now time.Duration) bool {
	l.mu.Lock()
	r := &l.reading
	switch {
	case r.backoff.Lost(before, now):
	case found:
		r.vain = 0
		r.backoff.Kept()
	default:
		r.vain = min(r.vain+1, followVain)
	}
	leads := l.lead(p)
	if !leads && l.pending[p.id] == p {
		r.waits(p, asleep)
	}
	if r.by.Load() == byNobody && !r.mayLeave() {
		l.toKeeper()
	}
	share := !leads && r.times%shareEvery == 0
	l.mu.Unlock()
	if share {
		runtime.Gosched()
	}
	return leads
}
