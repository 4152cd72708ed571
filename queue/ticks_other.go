//go:build !amd64

package queue

const hasTicks = false

func ticks() uint64 { return 0 }
