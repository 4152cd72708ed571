//go:build !(amd64 || 386 || s390x)

package queue

import "sync/atomic"

// loadsDone stands between plain loads and the atomic one that tells whether they
// count. On these CPUs plain loads may pass a later load-acquire, but not a
// store-release, which in turn a later load-acquire does not pass (RCsc): the store
// to a private word orders them.
func loadsDone() {
	var fence atomic.Uint32
	fence.Store(1)
}
