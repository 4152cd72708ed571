//go:build darwin

package shm

import (
	"syscall"
	"unsafe"
)

// shm_open and shm_unlink exist in libSystem only, which is called without
// cgo as golang.org/x/sys/unix does: an import by the dynamic linker, and a
// trampoline in assembly that the runtime's libc caller jumps to.

//go:cgo_import_dynamic libc_shm_open shm_open "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_shm_unlink shm_unlink "/usr/lib/libSystem.B.dylib"

var libc_shm_open_trampoline_addr, libc_shm_unlink_trampoline_addr uintptr

// syscall_syscall calls a C function of three arguments. It puts the third one
// on the stack as well, where arm64 has the variadic mode of shm_open.
//
//go:linkname syscall_syscall syscall.syscall
func syscall_syscall(fn, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)

func libcShmOpen(object string, flags int, mode uint32) (fd int, err error) {
	p, err := syscall.BytePtrFromString(object)
	if err != nil {
		return -1, err
	}
	r, _, errno := syscall_syscall(libc_shm_open_trampoline_addr, uintptr(unsafe.Pointer(p)), uintptr(flags), uintptr(mode))
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

func libcShmUnlink(object string) error {
	p, err := syscall.BytePtrFromString(object)
	if err != nil {
		return err
	}
	if _, _, errno := syscall_syscall(libc_shm_unlink_trampoline_addr, uintptr(unsafe.Pointer(p)), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
