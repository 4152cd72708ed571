package shm

import (
	"sync/atomic"
	"unsafe"
)

func sizeOf[T any]() int {
	var v T
	return int(unsafe.Sizeof(v))
}

// overlay is b seen as a T. Preconditions, checked by checkPlace: len(b) is
// T's size, b begins at a multiple of T's alignment (a mapping begins at a
// page), and T has no pointers.
func overlay[T any](b []byte) *T { return (*T)(unsafe.Pointer(unsafe.SliceData(b))) }

// bytesOf is v seen as bytes. Preconditions: T passed checkType.
func bytesOf[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

// word32 is the word at offset off. Preconditions: off is a multiple of 4 and
// off+4 <= len(b); b begins at a multiple of 8.
func word32(b []byte, off int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(b[off : off+4])))
}

// word64 is the word at offset off. Preconditions: off is a multiple of 8,
// which 64-bit atomics need on 32-bit CPUs too, and off+8 <= len(b).
func word64(b []byte, off int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(b[off : off+8])))
}
