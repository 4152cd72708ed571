//go:build amd64 || 386 || s390x

package shm

import "sync/atomic"

// overtaken reports whether a writer may have begun to overwrite value n while
// it was copied. These CPUs keep loads in order, and the compiler does not move
// loads across an atomic one: the copy is older than this load.
func overtaken(published *atomic.Uint64, n uint64) bool { return published.Load()-n >= cellSlots-1 }
