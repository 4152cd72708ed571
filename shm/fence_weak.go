//go:build !(amd64 || 386 || s390x)

package shm

import "sync/atomic"

// overtaken reports whether a writer may have begun to overwrite value n while
// it was copied. On these CPUs plain loads may pass a later load-acquire, but
// not a store-release, which in turn a later load-acquire does not pass (RCsc):
// the store to a private word orders the copy before the load.
func overtaken(published *atomic.Uint64, n uint64) bool {
	var fence atomic.Uint32
	fence.Store(1)
	return published.Load()-n >= cellSlots-1
}
