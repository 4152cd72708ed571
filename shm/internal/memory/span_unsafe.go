package memory

import (
	"os"
	"unsafe"
)

// span returns the addresses of the first byte of b and of the last byte of
// the page that b ends in. They are compared with a fault's address, never
// turned back into pointers. Preconditions: b is mapped and not empty.
func span(b []byte) (first, last uintptr) {
	if len(b) == 0 {
		return 1, 0
	}
	page := uintptr(os.Getpagesize())
	first = uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	last = first + uintptr(len(b)) - 1
	return first, last | (page - 1)
}
