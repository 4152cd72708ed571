package queue

import "time"

// A backoff keeps spinners from a processor that other programs have work for. The kernel
// lets one who was asleep go before those who compute, for what it has not used. One who
// spins has used it: when it gives the processor away, it waits until the others have had
// all of theirs, some milliseconds, while to sleep for the message would have taken a
// hundredth of that. (Unless those who have it are others of its own side, at work on the
// queue: see passed.) So who loses the processor time and again sleeps at once for a
// while, and for twice as long each time. (A single loss says little: on a virtual machine
// it may be the whole processor that was away.) One goroutine at a time uses it; the zero
// value is ready.
type backoff struct {
	until  time.Time // zero: spin
	losses uint8     // without keepsEnough in between, up to mostLosses
	keeps  uint8     // spins since the last loss that found something, up to keepsEnough
}

const (
	firstPause  = 20 * time.Millisecond
	mostLosses  = 8 // pauses of 1.28 s
	keepsEnough = 8
)

// lost tells that a spinner has given the processor away for long, until now.
func (b *backoff) lost(now time.Time) {
	if b.keeps == keepsEnough {
		b.losses = 0
	}
	b.losses, b.keeps = min(b.losses+1, mostLosses), 0
	if b.losses > 1 {
		b.until = now.Add(firstPause << (b.losses - 2))
	}
}

// kept tells that a spin has found something, and had the processor all the time.
func (b *backoff) kept() { b.keeps = min(b.keeps+1, keepsEnough) }

// active reports whether not to spin now.
func (b *backoff) active() bool {
	if b.until.IsZero() {
		return false
	}
	if time.Now().Before(b.until) {
		return true
	}
	b.until = time.Time{}
	return false
}
