//go:build !amd64

package queue

const prefetches = false

func prefetch(slot, block uintptr) {}
