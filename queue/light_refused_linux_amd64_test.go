//go:build !race

package queue

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// A process that gives itself a seccomp filter when its handle is light already has no
// barriers any more, and does without.
func TestBarrierRefused(t *testing.T) {
	if os.Getenv(emulatorEnv) != "" {
		t.Skip("an emulator installs no filters")
	}
	if !prepareBarrier() {
		t.Skip("no barriers for processes")
	}
	rounds := 100_000
	if testing.Short() {
		rounds = 10_000
	}
	is := is.New(t)
	c := spawn(t, refusedChild, strconv.Itoa(rounds))
	s, err := c.line()
	is.NoErr(err)
	c.wait()
	is.Equal(s, "met all")
}

var refusedChild = registerChild("barrier-refused", func(args []string) error {
	rounds, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	q, err := Anonymous(&Options{Capacity: 4, MaxMessage: 8, Lanes: 1})
	if err != nil {
		return err
	}
	defer q.Close()
	for !q.fast.light {
		q.fast.light = q.light.prepared(lightAfter)
		runtime.Gosched()
	}
	if err := refuse(unix.SYS_MEMBARRIER); err != nil {
		return err
	}
	if membarrier(membarrierPrivate) {
		return errors.New("membarrier was not refused")
	}
	if _, err := meetReleases(q, int32(rounds)); err != nil {
		return err
	}
	os.Stdout.WriteString("met all\n")
	return nil
})

// refuse has the kernel refuse a system call to this process from now on.
func refuse(call uint32) error {
	const (
		number = 0 // of struct seccomp_data: the system call
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret    = unix.BPF_RET | unix.BPF_K
	)
	program := []unix.SockFilter{
		{Code: load, K: number},
		{Code: equal, K: call, Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	// The filter is for all threads, but the first call is for one of them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	// Both live until the call has returned; the kernel keeps neither.
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	return nil
}
