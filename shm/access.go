package shm

import (
	"fmt"
	"io"
	"os"
)

// chunk is the size of one copy. Go's memmove changes to non-temporal stores
// for large blocks, which costs half the speed when the data is read soon.
const chunk = 64 << 10

// ReadAt copies len(p) bytes from offset off. It returns io.EOF when the
// segment ends before p is full, ErrFault when the memory is gone, and
// os.ErrClosed after Close. It is an io.ReaderAt.
func (s *segment) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, s.rangeError("read", off, len(p))
	}
	short := false
	if room := int64(s.mem.Size()) - off; int64(len(p)) > room {
		short = true
		p = p[:max(room, 0)]
	}
	if err := s.copyOut(p, int(min(off, int64(s.mem.Size())))); err != nil {
		return 0, wrap("read", s.name, err)
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}

func (s *segment) copyOut(p []byte, off int) (err error) {
	old, ok := s.mem.Begin()
	if !ok {
		return os.ErrClosed
	}
	defer s.mem.End(old, &err)
	copyChunks(p, s.mem.Bytes()[off:])
	return nil
}

// WriteAt copies p to offset off, all of it or, if it does not fit, nothing:
// that is io.ErrShortWrite. ErrFault means that some of it may have been
// written. It is an io.WriterAt.
func (r *Region) WriteAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off > int64(r.mem.Size())-int64(len(p)) {
		return 0, r.rangeError("write", off, len(p))
	}
	if err := r.copyIn(p, int(off)); err != nil {
		return 0, wrap("write", r.name, err)
	}
	return len(p), nil
}

func (r *Region) copyIn(p []byte, off int) (err error) {
	old, ok := r.mem.Begin()
	if !ok {
		return os.ErrClosed
	}
	defer r.mem.End(old, &err)
	copyChunks(r.mem.Bytes()[off:], p)
	return nil
}

// View lends n bytes from offset off to f, in place: no copy is made. The
// slice is valid until f returns, also if the segment is closed meanwhile. A
// fault inside f on these bytes ends f and is ErrFault; every other panic goes
// on. The bytes of a Reader are read-only.
//
// Other processes may change the bytes while f looks: what is checked must be
// copied first.
func (s *segment) View(off int64, n int, f func(b []byte) error) (err error) {
	if off < 0 || n < 0 || off > int64(s.mem.Size())-int64(n) {
		return s.rangeError("view", off, n)
	}
	failed := false
	err = s.lend(int(off), n, func(b []byte) error {
		err := f(b)
		failed = err != nil
		return err
	})
	if failed {
		return err
	}
	return wrap("view", s.name, err)
}

func (s *segment) lend(off, n int, f func(b []byte) error) (err error) {
	old, ok := s.mem.Begin()
	if !ok {
		return os.ErrClosed
	}
	defer s.mem.End(old, &err)
	return f(s.mem.Bytes()[off : off+n : off+n])
}

// copyChunks is copy, in pieces. Preconditions: guarded.
func copyChunks(dst, src []byte) {
	for len(dst) > chunk && len(src) > chunk {
		copy(dst[:chunk], src[:chunk])
		dst, src = dst[chunk:], src[chunk:]
	}
	copy(dst, src)
}

func (s *segment) rangeError(op string, off int64, n int) error {
	sentinel := io.ErrShortWrite
	if op != "write" || off < 0 {
		sentinel = os.ErrInvalid
	}
	return wrap(op, s.name, fmt.Errorf("%w: %d bytes at offset %d of %d", sentinel, n, off, s.mem.Size()))
}
