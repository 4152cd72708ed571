//go:build !linux || ipcportable

package shmsync

import "sync/atomic"

const futexPrivate = 0

// futexWake has nobody to wake: pollers look by themselves.
func futexWake(*atomic.Uint32, int, uintptr) int { return 0 }
