package shm

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/shm/shmsync"
)

// A Word32 is a 32-bit word of a Region, used atomically by all processes.
// Go's atomics are sequentially consistent. Every method returns ErrFault or
// os.ErrClosed where the memory is gone.
type Word32 struct {
	s *segment
	w *atomic.Uint32
}

// A Word64 is a 64-bit word of a Region; see Word32.
type Word64 struct {
	s *segment
	w *atomic.Uint64
}

// Word32 returns the word at off, a multiple of 4.
func (r *Region) Word32(off int64) (Word32, error) {
	if err := checkPlace[uint32](r.segment, off); err != nil {
		return Word32{}, err
	}
	return Word32{r.segment, word32(r.mem.Bytes(), int(off))}, nil
}

// Word64 returns the word at off, a multiple of 8 on every CPU.
func (r *Region) Word64(off int64) (Word64, error) {
	if err := checkPlace[uint64](r.segment, off); err != nil {
		return Word64{}, err
	}
	return Word64{r.segment, word64(r.mem.Bytes(), int(off))}, nil
}

// LoadUint32 atomically reads the word at off, a multiple of 4.
func (s *segment) LoadUint32(off int64) (uint32, error) {
	if err := checkPlace[uint32](s, off); err != nil {
		return 0, err
	}
	return Word32{s, word32(s.mem.Bytes(), int(off))}.Load()
}

// LoadUint64 atomically reads the word at off, a multiple of 8.
func (s *segment) LoadUint64(off int64) (uint64, error) {
	if err := checkPlace[uint64](s, off); err != nil {
		return 0, err
	}
	return Word64{s, word64(s.mem.Bytes(), int(off))}.Load()
}

// guarded runs op inside the segment, with faults as errors.
func (s *segment) guarded(op func()) (err error) {
	old, ok := s.mem.Begin()
	if !ok {
		return wrap("access", s.name, os.ErrClosed)
	}
	defer s.faultError(&err)
	defer s.mem.End(old, &err)
	op()
	return nil
}

func (s *segment) faultError(err *error) { *err = wrap("access", s.name, *err) }

// Load returns the value.
func (a Word32) Load() (v uint32, err error) {
	err = a.s.guarded(func() { v = a.w.Load() })
	return v, err
}

// Store sets the value.
func (a Word32) Store(v uint32) error { return a.s.guarded(func() { a.w.Store(v) }) }

// Add adds delta and returns the new value.
func (a Word32) Add(delta uint32) (v uint32, err error) {
	err = a.s.guarded(func() { v = a.w.Add(delta) })
	return v, err
}

// CompareAndSwap replaces old by new and reports whether it did.
func (a Word32) CompareAndSwap(old, new uint32) (swapped bool, err error) {
	err = a.s.guarded(func() { swapped = a.w.CompareAndSwap(old, new) })
	return swapped, err
}

// Wait returns when the value is not old, after a Wake, after max (if it is
// positive), or for no reason: look again. It ends early with an error that
// wraps ctx.Err() or, when the Region is closed, os.ErrClosed.
func (a Word32) Wait(ctx context.Context, old uint32, max time.Duration) error {
	set := a.s.waitSet()
	var waited error
	if err := a.s.guarded(func() { waited = set.Wait(ctx, a.w, old, max) }); err != nil {
		return err
	}
	return wrap("wait", a.s.name, waited)
}

// Wake wakes up to n threads that Wait on the word in any process, all of them
// if n < 0. Change the value first.
func (a Word32) Wake(n int) (woken int, err error) {
	err = a.s.guarded(func() { woken = shmsync.Wake(a.w, n) })
	return woken, err
}

// Load returns the value.
func (a Word64) Load() (v uint64, err error) {
	err = a.s.guarded(func() { v = a.w.Load() })
	return v, err
}

// Store sets the value.
func (a Word64) Store(v uint64) error { return a.s.guarded(func() { a.w.Store(v) }) }

// Add adds delta and returns the new value.
func (a Word64) Add(delta uint64) (v uint64, err error) {
	err = a.s.guarded(func() { v = a.w.Add(delta) })
	return v, err
}

// CompareAndSwap replaces old by new and reports whether it did.
func (a Word64) CompareAndSwap(old, new uint64) (swapped bool, err error) {
	err = a.s.guarded(func() { swapped = a.w.CompareAndSwap(old, new) })
	return swapped, err
}
