package pipe

import "encoding/binary"

// ration follows the frames of a stream, so that reads stop where they do.
//
//	header (4 bytes, or 12 after ff ff ff ff)   body
//	└── have of need ──┘                        └── left ──┘
type ration struct {
	header [12]byte
	have   int
	left   uint64
}

// next returns how many bytes may be read: up to the end of the header, or of
// the body after it.
func (f *ration) next() uint64 {
	if f.left > 0 {
		return f.left
	}
	return uint64(f.need() - f.have)
}

func (f *ration) need() int {
	if f.have >= 4 && binary.BigEndian.Uint32(f.header[:]) == 1<<32-1 {
		return 12
	}
	return 4
}

// took accounts for bytes that were read, at most as many as next allowed.
func (f *ration) took(p []byte) {
	if f.left > 0 {
		f.left -= uint64(len(p))
		return
	}
	f.have += copy(f.header[f.have:], p)
	if f.have < f.need() {
		return
	}
	if f.have == 12 {
		f.left = binary.BigEndian.Uint64(f.header[4:])
	} else {
		f.left = uint64(binary.BigEndian.Uint32(f.header[:]))
	}
	f.have = 0
}
