//go:build linux && !ipcportable && (amd64 || arm64)

package shm_test

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func init() { children["interrupted"] = childInterrupted }

// Signals that come often, a profiler's for example, interrupt whatever takes
// long: on older kernels also fallocate on tmpfs, which then has done nothing.
func TestCreateBetweenSignals(t *testing.T) {
	if os.Getenv(emulatorEnv) != "" {
		t.Skip("an emulator installs no filters")
	}
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "segment")
	is.Equal(start(t, "interrupted", path).line(), "created")
	fi, err := os.Stat(path)
	is.NoErr(err)
	is.Equal(fi.Size(), int64(9<<20))
}

// childInterrupted creates a segment where the kernel answers EINTR to every
// fallocate of more than 1 MiB: interrupted PATH.
func childInterrupted(args []string) error {
	const (
		number = 0        // of struct seccomp_data: the system call,
		length = 16 + 3*8 // the low half of its fourth argument
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		above  = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
		ret    = unix.BPF_RET | unix.BPF_K
	)
	program := []unix.SockFilter{
		{Code: load, K: number},
		{Code: equal, K: unix.SYS_FALLOCATE, Jf: 3},
		{Code: load, K: length},
		{Code: above, K: 1 << 20, Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EINTR)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	// Both live until the call has returned; the kernel keeps neither.
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errno
	}
	dieWithParent()
	r, err := shm.Create(args[0], 9<<20, nil)
	if err != nil {
		return err
	}
	say("created")
	return r.Close()
}
