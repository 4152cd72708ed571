//go:build !amd64 || race

package queue

import "sync/atomic"

// storeRelease stores v so that whoever loads it sees all that was stored
// before.
func storeRelease(w *atomic.Uint64, v uint64) { w.Store(v) }
