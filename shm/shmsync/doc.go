// Package shmsync lets processes wait for each other in shared memory without
// relying on each other to live.
//
//	WaitSet     goroutines wait on 32-bit words: one parked thread for all of them
//	Wake        wakes the sleepers of a word in all processes
//	Liveness    kernel locks by index: held for life, dropped at death
//	Member      a handle's proof of life, by which others know that its locks are stale
//	Mutex       a lock whose dead owner is reported as ErrOwnerDead
//	Semaphore   counted permits that their dead owners give back
//	Event       set, reset, wait
//
// Guaranteed, on every system: a process that is killed at any instruction
// leaves no lock that others wait for, and no permit lost. A waiter notices a
// death within 250 ms, usually within a few. A process that is stopped keeps
// what it has; every wait ends with its ctx. There is never a second owner.
//
// A wake-up that dies with the process it woke delays others by at most 250 ms.
// Acquisition is not fair: who runs takes the lock.
//
// On Linux, waits are FUTEX_WAITV (5.16; before that futex in slices of 4 ms,
// which bounds how late a cancelled ctx is noticed) and Liveness is an open file
// description lock. On macOS waits are os_sync_wait_on_address or __ulock_wait2
// in such slices, whichever exists and passes a test, else polling; Liveness is
// flock on files in the runtime directory. Elsewhere waits poll, at 8 ms at most.
//
// The state of each object is a few words of zeroed shared memory; a shm.Region
// makes the objects in it. The words are the same on every CPU of one byte order.
package shmsync
