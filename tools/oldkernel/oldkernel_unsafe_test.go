//go:build linux && (amd64 || arm64)

package main

import (
	"syscall"
	"unsafe"
)

// bytes returns the address of s as a C string on the heap.
func bytes(s string) unsafe.Pointer {
	p, err := syscall.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	return unsafe.Pointer(p)
}

func callOf(number, a, b, c uintptr) error {
	_, _, errno := syscall.Syscall(number, a, b, c)
	return errnoOrNil(errno)
}
