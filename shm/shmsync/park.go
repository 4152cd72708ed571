package shmsync

import (
	"sync/atomic"
	"time"
)

// A pair is one thing to wait for: *word no longer old.
type pair struct {
	word *atomic.Uint32
	old  uint32
}

// A parker puts the leader of a WaitSet to sleep. park returns the index of a
// pair whose word was woken, or -1 when it does not know: the caller then
// looks at all words. poke may be called at any time by others and makes the
// current or the next park that was given the older ticket return soon.
type parker interface {
	ticket() uint32
	park(pairs []pair, ticket uint32, deadline time.Time) int
	poke()
	// limit is how many pairs one park can watch.
	limit() int
}
