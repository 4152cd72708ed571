//go:build !race

package queue

import (
	"sync/atomic"
	"unsafe"
)

// storeRelease stores v so that whoever loads it sees all that was stored
// before. It does not order later loads: where one must, a compare-and-swap
// follows. On amd64 every aligned 8-byte store is atomic and stores become
// visible in program order (Intel SDM vol. 3A, 8.2.2), so a plain store does;
// Go's atomic store is an XCHG, which also waits until everything before has
// left the processor, several times the price. The Go runtime has the same for
// itself (internal/runtime/atomic.StoreRel64). w is 8-byte aligned: see
// memory_unsafe.go.
func storeRelease(w *atomic.Uint64, v uint64) { *(*uint64)(unsafe.Pointer(w)) = v }
