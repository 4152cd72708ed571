package queue

const prefetches = true

// prefetch has the lines fetched that the next two puts write first: the slot behind
// slot, and the first two of the block there, which slot names. To wait for each in
// turn takes most of a put's time where a consumer had them on another processor, and
// twice for a slot: a load has the line come for reading only. It is PREFETCHW (Intel
// SDM vol. 2B; a processor without it does nothing), to which no address is wrong.
//
//go:noescape
func prefetch(slot *slotLine, block uintptr)
