package socket

import (
	"runtime"
	"time"
)

// A spinner polls before a wait, for a time that it learns: what polling has
// brought lately. It starts with all of its budget; each failure halves it,
// each success restores it. When nothing is left it polls only every
// spinRetry-th time, to notice that the peer has become quick, and not even
// then while waits are so long that it has not.
//
// That retry has the whole budget. Once both sides sleep, each finds the other
// a wake-up away, tens of microseconds, and only one that waits through the
// other's wake-up is awake itself when the answer comes.
type spinner struct {
	shift   uint8 // the budget is divided by 1<<shift
	skipped uint8

	asleep time.Time     // since when; zero is not
	slept  time.Duration // how long the last wait in the kernel took
}

const (
	spinMaxShift = 4
	spinRetry    = 32
	spinPerCheck = 8 // polls between two looks at the clock

	// spinReach is how many times the limit a wait may take, wake-ups on both
	// sides included, for a retry to be worth it.
	spinReach = 16
)

// poll calls ready until it returns true or the budget is used up.
func (s *spinner) poll(budget time.Duration, ready func() bool) bool {
	end := time.Now().Add(budget)
	for {
		for range spinPerCheck {
			if ready() {
				s.shift = 0
				return true
			}
			runtime.Gosched() // others may be what the peer waits for
		}

		if !time.Now().Before(end) {
			break
		}
	}
	if s.shift <= spinMaxShift {
		s.shift++
	}
	return false
}

// budget returns for how long to poll now; zero is not at all.
func (s *spinner) budget(limit time.Duration) time.Duration {
	if s.shift <= spinMaxShift {
		return limit >> s.shift
	}
	if s.skipped++; s.skipped < spinRetry {
		return 0
	}
	s.skipped = 0
	if s.slept >= spinReach*limit {
		return 0
	}
	return limit
}

// sleeps and woken enclose a wait in the kernel.
func (s *spinner) sleeps() { s.asleep = time.Now() }

func (s *spinner) woken() {
	if !s.asleep.IsZero() {
		s.slept = time.Since(s.asleep)
		s.asleep = time.Time{}
	}
}
