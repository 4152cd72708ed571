//go:build linux && !ipcportable

package shm_test

import (
	"math"
	"testing"
	"unsafe"

	"github.com/ipcctl/ipc/shm"
	"golang.org/x/sys/unix"
)

// untilAsleep returns when n threads sleep in the kernel on the word at off of r: those
// that FUTEX_REQUEUE moves from the word to itself.
func untilAsleep(t *testing.T, n int, r *shm.Region, off int) {
	t.Helper()
	mem, unpin, err := r.Pin()
	if err != nil {
		t.Fatal(err)
	}
	defer unpin()
	const futexRequeue = 3
	w := unsafe.Pointer(&mem[off])
	waitUntil(t, "they sleep in the kernel", func() bool {
		asleep, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(w), futexRequeue, 0, math.MaxInt32, uintptr(w), 0)
		if errno != 0 {
			t.Fatal("futex requeue: ", errno)
		}
		return int(asleep) == n
	})
}
