package cpu

import "time"

// A Backoff keeps a poller from a CPU that others have work for. The kernel lets one who
// was asleep go before those who compute, for what it has not used. One who polls has used
// it: when it has lost the CPU, or given it away, it waits until the others have had all
// of theirs, some milliseconds, while to sleep for the message would have taken a hundredth
// of that. So one who loses the CPU time and again polls no more for a while, and for twice
// as long each time. (A single loss says little: on a virtual machine it may be the whole
// CPU that was away.) The zero value is ready.
type Backoff struct {
	until  time.Duration // by Clock; zero: it may poll
	losses uint8         // without keepsEnough in between, up to mostLosses
	keeps  uint8         // polls since the last loss that found something, up to keepsEnough
}

const (
	lost        = 500 * time.Microsecond // longer than what a peer on the same CPU does is worth waiting for
	firstPause  = 20 * time.Millisecond
	mostLosses  = 8 // pauses of 1.28 s
	keepsEnough = 8
)

// Lost tells that the poller looked at the clock at two times, one right after the other,
// and reports whether it has lost the CPU in between.
func (b *Backoff) Lost(before, now time.Duration) bool {
	if now-before < lost {
		return false
	}
	if b.keeps == keepsEnough {
		b.losses = 0
	}
	b.losses, b.keeps = min(b.losses+1, mostLosses), 0
	if b.losses > 1 {
		b.until = now + firstPause<<(b.losses-2)
	}
	return true
}

// Kept tells that a poll has found something, and had the CPU all the time.
func (b *Backoff) Kept() { b.keeps = min(b.keeps+1, keepsEnough) }

// Active reports whether not to poll now.
func (b *Backoff) Active() bool {
	if b.until == 0 {
		return false
	}
	if Clock() < b.until {
		return true
	}
	b.until = 0
	return false
}
