package queue

const prefetches = true

// prefetch has the lines at two addresses, and the line behind the second, fetched for
// writing. To wait for a slot and its block in turn takes most of an operation's time
// where another processor had them, and twice for the slot: a load has the line come for
// reading only. It is PREFETCHW (Intel SDM vol. 2B; a processor without it does
// nothing), to which no address is wrong.
//
//go:noescape
func prefetch(slot, block uintptr)
