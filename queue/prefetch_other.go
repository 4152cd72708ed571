//go:build !amd64

package queue

import "sync/atomic"

const prefetches = false

func prefetch(slot, named *atomic.Uint64, r *ring, lines int) {}

func prefetchBlock(slot *atomic.Uint64, block uintptr) {}

func prefetchLine(slot *atomic.Uint64) {}
