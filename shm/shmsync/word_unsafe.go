package shmsync

import (
	"sync/atomic"
	"unsafe"
)

// word is the 32-bit word at off. Preconditions: off is a multiple of 4, off+4
// <= len(b), and b begins at a multiple of 4.
func word(b []byte, off int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(b[off : off+4])))
}
