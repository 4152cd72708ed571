//go:build darwin && !ipcportable

package shmsync

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// The calls that sleep on an address are looked up by dlsym when they are
// first needed: a binary that imported them would not start on a macOS that
// lacks them. os_sync_* is public since 14.4 (os/os_sync_wait_on_address.h);
// __ulock_* has been in libSystem since 10.12, __ulock_wait2 since 11 (XNU,
// bsd/sys/ulock.h).

//go:cgo_import_dynamic libc_dlsym dlsym "/usr/lib/libSystem.B.dylib"

var libc_dlsym_trampoline_addr uintptr

//go:linkname syscall_syscall syscall.syscall
func syscall_syscall(fn, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)

//go:linkname syscall_syscall6 syscall.syscall6
func syscall_syscall6(fn, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno)

const (
	rtldDefault = ^uintptr(1) // RTLD_DEFAULT, (void *)-2: dlfcn.h

	// OS_SYNC_WAIT_ON_ADDRESS_SHARED and OS_SYNC_WAKE_BY_ADDRESS_SHARED:
	// os/os_sync_wait_on_address.h.
	osSyncShared    = 1
	osClockAbsolute = 32 // OS_CLOCK_MACH_ABSOLUTE_TIME: os/clock.h

	ulCompareAndWaitShared = 3     // UL_COMPARE_AND_WAIT_SHARED: XNU bsd/sys/ulock.h
	ulfWakeAll             = 0x100 // ULF_WAKE_ALL: the same
)

// calls holds addresses of functions, 0 for what this system lacks. Functions
// of libSystem are never unloaded.
type calls struct{ osWait, osWakeAny, osWakeAll, ulockWait2, ulockWake uintptr }

// libSystem is looked up once for the process.
var libSystem = sync.OnceValue(func() (c calls) {
	c.osWait = lookup("os_sync_wait_on_address_with_timeout")
	c.osWakeAny = lookup("os_sync_wake_by_address_any")
	c.osWakeAll = lookup("os_sync_wake_by_address_all")
	c.ulockWait2 = lookup("__ulock_wait2")
	c.ulockWake = lookup("__ulock_wake")
	return c
})

func (c *calls) hasOSSync() bool { return c.osWait != 0 && c.osWakeAny != 0 && c.osWakeAll != 0 }
func (c *calls) hasULock() bool  { return c.ulockWait2 != 0 && c.ulockWake != 0 }

func lookup(name string) uintptr {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return 0
	}
	addr, _, _ := syscall_syscall(libc_dlsym_trampoline_addr, rtldDefault, uintptr(unsafe.Pointer(p)), 0)
	return addr
}

// addressWait sleeps until a wake on w, until d has passed, or not at all when
// *w != old. Precondition: d > 0; 0 is an error of one call and for ever to the
// other. EFAULT says that the word's page is not in memory (XNU
// bsd/kern/sys_ulock.c): whoever looks at the word brings it there.
func addressWait(w *atomic.Uint32, old uint32, d time.Duration) waitResult {
	c := libSystem()
	var errno syscall.Errno
	switch {
	case c.hasOSSync(): // (addr, value, size, flags, clock, timeout in ns)
		_, _, errno = syscall_syscall6(c.osWait, uintptr(unsafe.Pointer(w)), uintptr(old), 4, osSyncShared, osClockAbsolute, uintptr(d))
	case c.hasULock(): // (operation, addr, value, timeout in ns, value2)
		_, _, errno = syscall_syscall6(c.ulockWait2, ulCompareAndWaitShared, uintptr(unsafe.Pointer(w)), uintptr(old), uintptr(d), 0, 0)
	default:
		return waitFailed
	}
	switch {
	case errno == syscall.ETIMEDOUT:
		return waitTimedOut
	case errno == 0 || errno == syscall.EINTR || errno == syscall.EFAULT:
		return waitEnded
	}
	return waitFailed
}

// futexWake wakes up to n waiters of w in all processes; n < 0 means all. The
// system does not tell how many there were: one that was woken counts as one.
func futexWake(w *atomic.Uint32, n int) (woken int) {
	c := libSystem()
	if n == 0 {
		return 0
	}
	all := n < 0 || n > 1
	var errno syscall.Errno // ENOENT: nobody waits
	switch {
	case c.hasOSSync() && all:
		_, _, errno = syscall_syscall(c.osWakeAll, uintptr(unsafe.Pointer(w)), 4, osSyncShared)
	case c.hasOSSync():
		_, _, errno = syscall_syscall(c.osWakeAny, uintptr(unsafe.Pointer(w)), 4, osSyncShared)
	case c.hasULock() && all:
		_, _, errno = syscall_syscall(c.ulockWake, ulCompareAndWaitShared|ulfWakeAll, uintptr(unsafe.Pointer(w)), 0)
	case c.hasULock():
		_, _, errno = syscall_syscall(c.ulockWake, ulCompareAndWaitShared, uintptr(unsafe.Pointer(w)), 0)
	default:
		return 0
	}
	if errno != 0 {
		return 0
	}
	return 1
}
