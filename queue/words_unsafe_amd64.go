//go:build !race

package queue

import "unsafe"

// How long the messages are that are copied without a call: to save what the caller has
// in registers, and to find out how to copy best, takes longer than to copy so little.
const (
	leastWords = 16
	mostWords  = 64
)

// inWords reports whether copyWords copies n bytes.
func inWords(n int) bool { return uint(n-leastWords) <= mostWords-leastWords }

// copyWords copies src to dst, which is at least as long: its first half and its last,
// which may overlap. All of it is read before any is written. This processor reads and
// writes words at any address.
func copyWords(dst, src []byte) {
	type (
		half  struct{ a, b uint64 }       // of up to 32 bytes
		large struct{ a, b, c, d uint64 } // half of up to 64
	)
	to, from := unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(src))
	if n := uintptr(len(src)); n <= 32 {
		x, y := *(*half)(from), *(*half)(unsafe.Add(from, n-16))
		*(*half)(to), *(*half)(unsafe.Add(to, n-16)) = x, y
	} else {
		x, y := *(*large)(from), *(*large)(unsafe.Add(from, n-32))
		*(*large)(to), *(*large)(unsafe.Add(to, n-32)) = x, y
	}
}
