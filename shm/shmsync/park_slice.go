//go:build (linux || darwin) && !ipcportable

package shmsync

import (
	"sync/atomic"
	"time"
)

// slice bounds how late the leader notices a poke, or a change of another word
// than the first, where the system can sleep on one word only.
const slice = 4 * time.Millisecond

// A wordWait is the system's call: it sleeps until a wake on w, until d has
// passed, or not at all when *w != old.
type wordWait func(w *atomic.Uint32, old uint32, d time.Duration) waitResult

type waitResult int

const (
	waitEnded waitResult = iota // woken, or the word differs, or for no reason
	waitTimedOut
	waitFailed // the system has no such call, or it does not work
)

// parkSlice sleeps on the first pair for at most a slice.
func parkSlice(pairs []pair, cancel *atomic.Uint32, ticket uint32, deadline time.Time, wait wordWait) int {
	if cancel.Load() != ticket {
		return -1
	}
	if d := min(time.Until(deadline), slice); d > 0 {
		_ = wait(pairs[0].word, pairs[0].old, d) // whatever it was, the caller looks
	}
	return -1
}
