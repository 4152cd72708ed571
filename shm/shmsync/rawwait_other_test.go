//go:build !linux || ipcportable

package shmsync

import (
	"runtime"
	"sync/atomic"
)

// rawWait spins: there is nothing rawer here.
func rawWait(*atomic.Uint32, uint32) { runtime.Gosched() }
