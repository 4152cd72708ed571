//go:build unix

package shm_test

import (
	"errors"
	"os"
	"structs"
	"testing"
	"unsafe"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

type sample struct {
	_  structs.HostLayout
	ID uint64
	X  [3]float32
	N  int16
	_  [2]byte
}

func try[T any](r *shm.Region) error {
	_, err := shm.At[T](r, 0)
	return err
}

func TestTypesThatMayBeShared(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(4096, nil)
	is.NoErr(err)
	defer r.Close()
	good := map[string]error{
		"uint8": try[uint8](r), "int64": try[int64](r), "float64": try[float64](r), "complex128": try[complex128](r),
		"array": try[[4]uint32](r), "struct": try[sample](r), "nested": try[[2]sample](r),
	}
	for what, err := range good {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	bad := map[string]error{
		"pointer": try[*int](r), "string": try[string](r), "slice": try[[]byte](r), "map": try[map[int]int](r),
		"interface": try[any](r), "func": try[func()](r), "chan": try[chan int](r), "unsafe.Pointer": try[unsafe.Pointer](r),
		"int": try[int](r), "uint": try[uint](r), "uintptr": try[uintptr](r), "bool": try[bool](r),
		"pointer in struct": try[struct{ P *int }](r),
		"pointer in array":  try[[1]*int](r),
		"padding in front": try[struct {
			A uint32
			B uint64
		}](r),
		"padding at the end": try[struct {
			A uint64
			B uint32
		}](r),
		"small padding": try[struct {
			A uint8
			B uint16
		}](r),
	}
	for what, err := range bad {
		if !errors.Is(err, shm.ErrType) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTypedAccess(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 256, nil)
	is.NoErr(err)
	defer r.Close()
	ro, err := shm.OpenReader(name, nil)
	is.NoErr(err)
	defer ro.Close()
	p, err := shm.At[sample](r, 64)
	is.NoErr(err)
	want := sample{ID: 7, X: [3]float32{1, 2, 3}, N: -5}
	is.NoErr(p.Store(want))
	got, err := shm.LoadAt[sample](ro, 64)
	is.NoErr(err)
	is.Equal(got, want)
	is.NoErr(p.Do(func(s *sample) error { s.N++; return nil }))
	got, err = p.Load()
	is.NoErr(err)
	is.Equal(got.N, int16(-4))

	for _, off := range []int64{-8, 4, 60, 256, 240, 1 << 62} {
		_, err = shm.At[sample](r, off)
		is.True(errors.Is(err, os.ErrInvalid)) // misaligned or out of bounds
		_, err = shm.LoadAt[sample](ro, off)
		is.True(errors.Is(err, os.ErrInvalid))
	}
	_, err = r.Word64(4)
	is.True(errors.Is(err, os.ErrInvalid))
	_, err = r.Word32(254)
	is.True(errors.Is(err, os.ErrInvalid))
	_, err = ro.LoadUint64(252)
	is.True(errors.Is(err, os.ErrInvalid))
	_, err = r.Mutex(252)
	is.True(errors.Is(err, os.ErrInvalid))
	_, err = r.Semaphore(248, 1)
	is.True(errors.Is(err, os.ErrInvalid))
	_, err = r.Semaphore(0, 0)
	is.True(errors.Is(err, os.ErrInvalid))
	_, err = r.Event(-8)
	is.True(errors.Is(err, os.ErrInvalid))

	w, err := r.Word64(8)
	is.NoErr(err)
	is.NoErr(w.Store(1))
	v, err := w.Add(41)
	is.NoErr(err)
	is.Equal(v, uint64(42))
	ok, err := w.CompareAndSwap(42, 1<<40)
	is.NoErr(err)
	is.True(ok)
	v, err = ro.LoadUint64(8)
	is.NoErr(err)
	is.Equal(v, uint64(1<<40))
}
