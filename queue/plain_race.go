//go:build race

package queue

// The functions of plain.go for the race detector: byte copies by 32-bit
// atomic words, which is what the readers without ownership need on paper.
// Block payloads begin and end at multiples of 4 bytes, so a word never
// reaches into another block.

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// wordOf returns the aligned word that holds p[i], and the byte's place in it.
func wordOf(p []byte, i int) (*atomic.Uint32, uintptr) {
	a := unsafe.Pointer(&p[i])
	in := uintptr(a) % 4
	return (*atomic.Uint32)(unsafe.Add(a, -int(in))), in
}

func storeByte(p []byte, i int, v byte) {
	w, in := wordOf(p, i)
	for {
		old := w.Load()
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], old)
		b[in] = v
		if w.CompareAndSwap(old, binary.NativeEndian.Uint32(b[:])) {
			return
		}
	}
}

func loadByte(p []byte, i int) byte {
	w, in := wordOf(p, i)
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], w.Load())
	return b[in]
}

func storeBytes(dst, src []byte) int {
	n := min(len(dst), len(src))
	for i := range n {
		storeByte(dst, i, src[i])
	}
	return n
}

func storeShort(dst, src []byte) { storeBytes(dst, src) }

func appendBytes(buf, src []byte) []byte {
	for i := range src {
		buf = append(buf, loadByte(src, i))
	}
	return buf
}

func loadShort(buf, src []byte) []byte { return appendBytes(buf[:0], src) }

func store32(w *uint32, v uint32) { atomic.StoreUint32(w, v) }
func load32(w *uint32) uint32     { return atomic.LoadUint32(w) }
