//go:build !race

package queue

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const canBarrier = true

// The commands of membarrier(2) that are about this process alone, from
// linux/membarrier.h; Linux 4.14.
const (
	membarrierPrivate         = 1 << 3
	membarrierRegisterPrivate = 1 << 4
)

// prepareBarrier reports whether this process can call barrier from now on.
func prepareBarrier() bool { return membarrier(membarrierRegisterPrivate) }

// barrier makes every thread of this process pass a memory barrier. If a seccomp filter
// that came since refuses that, all goroutines are stopped, which does the same: no
// thread stops and goes on without atomic operations.
func barrier() {
	if !membarrier(membarrierPrivate) {
		runtime.ReadMemStats(new(runtime.MemStats))
	}
}

func membarrier(command uintptr) bool {
	_, _, err := unix.Syscall(unix.SYS_MEMBARRIER, command, 0, 0)
	return err == 0
}

// storeLater stores v; later loads of this thread may be done before others see it. Aligned
// stores of 4 bytes are atomic and visible in program order: see storeRelease.
func storeLater(w *atomic.Uint32, v uint32) { *(*uint32)(unsafe.Pointer(w)) = v }
