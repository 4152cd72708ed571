package shm

import (
	"errors"
	"fmt"
	"os"
	"reflect"
)

// ErrType is the error for a Go type that has no business in shared memory.
var ErrType = errors.New("type cannot live in shared memory")

// A Ref is a value of type T at a fixed offset of a Region.
type Ref[T any] struct {
	s   *segment
	off int
}

// At returns access to the T at byte offset off. T must look the same to every
// process on every CPU: fixed-width integers, floats, and arrays and structs
// of them, without pointers, without int, uint, uintptr and bool, and with all
// padding written out as fields. Anything else is ErrType. off must be a
// multiple of T's alignment, which is the size of its widest number.
func At[T any](r *Region, off int64) (Ref[T], error) {
	if err := checkPlace[T](r.segment, off); err != nil {
		return Ref[T]{}, err
	}
	return Ref[T]{r.segment, int(off)}, nil
}

// Load copies the value out. It is not atomic: a concurrent Store can tear it;
// Cell is for values that several processes share.
func (p Ref[T]) Load() (v T, err error) {
	err = p.Do(func(t *T) error { v = *t; return nil })
	return v, err
}

// Store copies the value in, not atomically.
func (p Ref[T]) Store(v T) error {
	return p.Do(func(t *T) error { *t = v; return nil })
}

// Do lends the value in place to f; the pointer is valid until f returns.
func (p Ref[T]) Do(f func(*T) error) error {
	return p.s.View(int64(p.off), sizeOf[T](), func(b []byte) error { return f(overlay[T](b)) })
}

// LoadAt copies a T out of a read-only segment; the rules are those of At.
func LoadAt[T any](r *Reader, off int64) (v T, err error) {
	if err := checkPlace[T](r.segment, off); err != nil {
		return v, err
	}
	err = r.View(off, sizeOf[T](), func(b []byte) error { v = *overlay[T](b); return nil })
	return v, err
}

// checkPlace checks type, alignment and bounds.
func checkPlace[T any](s *segment, off int64) error {
	align, err := checkType(reflect.TypeFor[T]())
	if err != nil {
		return wrap("access", s.name, err)
	}
	n := int64(sizeOf[T]())
	if off < 0 || off > int64(s.mem.Size())-n {
		return s.rangeError("access", off, int(n))
	}
	if off%int64(align) != 0 {
		return wrap("access", s.name, fmt.Errorf("%w: offset %d is not a multiple of %d", os.ErrInvalid, off, align))
	}
	return nil
}

// checkType returns the alignment that t has on CPUs that want most of it.
func checkType(t reflect.Type) (align int, err error) {
	switch t.Kind() {
	case reflect.Int8, reflect.Uint8:
		return 1, nil
	case reflect.Int16, reflect.Uint16:
		return 2, nil
	case reflect.Int32, reflect.Uint32, reflect.Float32, reflect.Complex64:
		return 4, nil
	case reflect.Int64, reflect.Uint64, reflect.Float64, reflect.Complex128:
		return 8, nil
	case reflect.Bool:
		return 0, fmt.Errorf("%w: %v (another process could store a byte that is neither; use uint8)", ErrType, t)
	case reflect.Int, reflect.Uint:
		return 0, fmt.Errorf("%w: %v differs in size between CPUs (use int64 or uint32)", ErrType, t)
	case reflect.Array:
		return checkType(t.Elem())
	case reflect.Struct:
		return checkStruct(t)
	}
	return 0, fmt.Errorf("%w: %v holds an address of this process", ErrType, t)
}

// checkStruct refuses implicit padding: it would differ between CPUs, and leak
// old bytes.
func checkStruct(t reflect.Type) (align int, err error) {
	align = 1
	var end uintptr
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type.Size() == 0 { // structs.HostLayout and the like
			continue
		}
		a, err := checkType(f.Type)
		if err != nil {
			return 0, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		if f.Offset != end || f.Offset%uintptr(a) != 0 {
			return 0, fmt.Errorf("%w: %v needs explicit padding before field %s", ErrType, t, f.Name)
		}
		end = f.Offset + f.Type.Size()
		align = max(align, a)
	}
	if end != t.Size() || end%uintptr(align) != 0 {
		return 0, fmt.Errorf("%w: %v needs explicit padding at its end", ErrType, t)
	}
	return align, nil
}
