//go:build linux && !ipcportable

package shmsync

import (
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asleep returns how many threads of all processes sleep on w in the kernel: those
// that FUTEX_REQUEUE moves from w to w itself.
func asleep(t *testing.T, w *atomic.Uint32) int {
	t.Helper()
	const futexRequeue = 3
	n, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexRequeue, 0, math.MaxInt32, uintptr(unsafe.Pointer(w)), 0)
	if errno != 0 {
		t.Fatal("futex requeue: ", errno)
	}
	return int(n)
}

// untilAsleep returns when n threads sleep on w.
func untilAsleep(t *testing.T, n int, w *atomic.Uint32) {
	t.Helper()
	waitUntil(t, "they sleep in the kernel", func() bool { return asleep(t, w) == n })
}

// More words than one sleep can watch are watched in turns: none is left out.
func TestWordsTakeTurns(t *testing.T) {
	s := NewWaitSet()
	defer s.Close()
	w := make([]atomic.Uint32, 2*waitvMax+50)
	done := make(chan error)
	for i := range w {
		go func() { done <- s.Wait(t.Context(), &w[i], 0, 0) }()
	}
	waitUntil(t, "everybody joins", func() bool { return s.size() == len(w) })
	seen := make([]bool, len(w))
	waitUntil(t, "every word has been watched", func() bool {
		all := true
		for i := range w {
			seen[i] = seen[i] || asleep(t, &w[i]) > 0
			all = all && seen[i]
		}
		runtime.Gosched()
		return all
	})
	s.Close()
	for range w {
		<-done
	}
}
