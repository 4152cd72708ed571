//go:build linux && !ipcportable

package shmsync

import (
	"errors"
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The futexes are shared, not PRIVATE: the word is in memory of two processes.
// See futex(2) and Documentation/userspace-api/futex2.rst of the kernel.
const (
	futexWaitOp   = 0
	futexWakeOp   = 1
	futexPrivate  = 128
	futexSize32   = 0x02 // FUTEX2_SIZE_U32
	futexShared32 = futexSize32
	futexLocal32  = futexSize32 | futexPrivate
)

// futexWaiter is struct futex_waitv: the same 24 bytes on every CPU. It holds
// a bare address; whoever keeps entries also keeps the words they came from.
type futexWaiter struct {
	val      uint64
	addr     uint64
	flags    uint32
	reserved uint32
}

// kernelTimespec is struct __kernel_timespec: 64 bits each, on 32-bit CPUs too.
type kernelTimespec struct{ sec, nsec int64 }

const (
	_ = -(unsafe.Sizeof(futexWaiter{}) ^ 24)
	_ = -(unsafe.Sizeof(kernelTimespec{}) ^ 16)
)

// errNoWaitv: this kernel (before 5.16) or this sandbox lacks FUTEX_WAITV.
var errNoWaitv = errors.New("futex_waitv is not available")

// watch makes the entry that waits while *w == old.
func watch(w *atomic.Uint32, old, flags uint32) futexWaiter {
	return futexWaiter{val: uint64(old), addr: uint64(uintptr(unsafe.Pointer(w))), flags: flags}
}

// futexWaitv sleeps until a wake on any word of vec, until deadline (ns of
// CLOCK_MONOTONIC), or not at all when a word differs from its value. It
// returns the index of a woken word, or -1 for every other reason.
//
// Syscall and not RawSyscall, here and below: the P serves other goroutines.
func futexWaitv(vec []futexWaiter, deadline int64) (woken int, err error) {
	ts := kernelTimespec{sec: deadline / 1e9, nsec: deadline % 1e9}
	r, _, errno := unix.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(unsafe.SliceData(vec))), uintptr(len(vec)), 0,
		uintptr(unsafe.Pointer(&ts)), unix.CLOCK_MONOTONIC, 0)
	switch errno {
	case 0:
		return int(r), nil
	case unix.ENOSYS, unix.EPERM:
		return -1, errNoWaitv
	}
	return -1, nil
}

// futexWait sleeps until a wake on w, until d has passed, or not at all when
// *w != old. It may also return for no reason.
func futexWait(w *atomic.Uint32, old uint32, d time.Duration) waitResult {
	ts := unix.NsecToTimespec(int64(d))
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWaitOp, uintptr(old),
		uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR:
		return waitEnded
	case unix.ETIMEDOUT:
		return waitTimedOut
	}
	return waitFailed
}

// futexWake wakes up to n waiters of w in all processes; n < 0 means all.
func futexWake(w *atomic.Uint32, n int) int {
	if n < 0 || n > math.MaxInt32 {
		n = math.MaxInt32
	}
	woken, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWakeOp, uintptr(n), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(woken)
}

// futexWakePrivate wakes the one waiter of a word of this process.
func futexWakePrivate(w *atomic.Uint32) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWakeOp|futexPrivate, 1, 0, 0, 0)
}

// monotonic is CLOCK_MONOTONIC in ns, the clock of futexWaitv's deadline.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}
