package cpu

import (
	"unsafe"

	features "golang.org/x/sys/cpu"
)

// CopyOver is copy for long pieces that go over what another processor has just read, and
// will read again. REP MOVSB knows how many lines it is going to overwrite as a whole, and
// does not have their contents fetched from there first: messages of 1 MiB take an eighth
// less. ("Enhanced REP MOVSB" in Intel's optimization manual; the processors of others are
// slow at some alignments.)
func CopyOver(dst, src []byte) int {
	n := min(len(dst), len(src))
	if !hasMovsb || n < leastMovsb {
		return copy(dst, src)
	}
	movsb(unsafe.SliceData(dst), unsafe.SliceData(src), uintptr(n))
	return n
}

const (
	leastMovsb = 4 << 10
	intel      = 'G' | 'e'<<8 | 'n'<<16 | 'u'<<24 // the beginning of its name
)

var hasMovsb = features.X86.HasERMS && vendor() == intel

//go:noescape
func movsb(dst, src *byte, n uintptr)

// vendor returns the first four letters of the processor's maker (CPUID, leaf 0).
func vendor() uint32
