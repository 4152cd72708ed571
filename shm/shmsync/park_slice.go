//go:build (linux || darwin) && !ipcportable

package shmsync

import (
	"sync/atomic"
	"time"
)

// slice bounds how late the leader notices a poke, or a change of another word
// than the first, where the system can sleep on one word only.
const slice = 4 * time.Millisecond

// parkSlice sleeps on the first pair for at most a slice.
func parkSlice(pairs []pair, cancel *atomic.Uint32, ticket uint32, deadline time.Time,
	wait func(w *atomic.Uint32, old uint32, d time.Duration)) int {
	if cancel.Load() != ticket {
		return -1
	}
	if d := min(time.Until(deadline), slice); d > 0 {
		wait(pairs[0].word, pairs[0].old, d)
	}
	return -1
}
