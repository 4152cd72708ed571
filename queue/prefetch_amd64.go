package queue

import "sync/atomic"

const prefetches = true

// prefetch has the line at slot, and the first few of the block that the word at named
// names, two at least, fetched for writing. To wait for a slot and its block in turn takes
// most of an operation's time where another processor had them, and twice for each that is
// written: a load has the line come for reading only. It is PREFETCHW (Intel SDM vol. 2B; a
// processor without it does nothing), to which no address is wrong. The word is read
// without a trace for the race detector, because nothing depends on it.
//
//go:noescape
func prefetch(slot, named *atomic.Uint64, r *ring, lines int)

// prefetchBlock has the line at slot and the first two at block fetched in the same way.
//
//go:noescape
func prefetchBlock(slot *atomic.Uint64, block uintptr)

// prefetchLine has one line fetched in the same way.
//
//go:noescape
func prefetchLine(slot *atomic.Uint64)
