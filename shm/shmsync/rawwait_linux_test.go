//go:build linux && !ipcportable

package shmsync

import (
	"sync/atomic"
	"time"
)

// rawWait is one futex call, the floor of what WaitSet can reach.
func rawWait(w *atomic.Uint32, old uint32) { _ = futexWait(w, old, time.Second) }
