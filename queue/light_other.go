//go:build !linux || !amd64 || race

package queue

import "sync/atomic"

const canBarrier = false

func prepareBarrier() bool                  { return false }
func barrier()                              {}
func storeLater(w *atomic.Uint32, v uint32) { w.Store(v) }
