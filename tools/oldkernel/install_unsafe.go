//go:build linux && (amd64 || arm64)

package main

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// install gives this thread the filter (seccomp(2)).
func install(program []syscall.SockFilter) error {
	const (
		setNoNewPrivs = 38 // PR_SET_NO_NEW_PRIVS, linux/prctl.h
		filterMode    = 2  // SECCOMP_MODE_FILTER, linux/seccomp.h
	)
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", errno)
	}
	fprog := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// The kernel copies the program during the call.
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, syscall.PR_SET_SECCOMP, filterMode, uintptr(unsafe.Pointer(&fprog)), 0, 0, 0)
	runtime.KeepAlive(program)
	return os.NewSyscallError("prctl PR_SET_SECCOMP", errnoOrNil(errno))
}

func errnoOrNil(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
