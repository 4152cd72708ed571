//go:build linux && !ipcportable

package shm

import "unsafe"

// address is where b begins, to be compared with addresses that the kernel
// reports; it is never turned back into a pointer.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
