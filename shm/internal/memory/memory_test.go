package memory

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
)

// The bytes are freed once, after Close and after the last user, whatever
// comes last; never while somebody is inside.
func TestFreedOnceAfterTheLast(t *testing.T) {
	is := is.New(t)
	for range 300 {
		var freed, inside atomic.Int32
		m := New("m", make([]byte, 8), func([]byte) {
			if inside.Load() != 0 {
				t.Error("freed under a user")
			}
			freed.Add(1)
		})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for m.Enter() {
					inside.Add(1)
					inside.Add(-1)
					m.Leave()
				}
			})
		}
		var closed atomic.Int32
		for range 2 {
			wg.Go(func() {
				if m.Close() {
					closed.Add(1)
				}
			})
		}
		wg.Wait()
		is.Equal(freed.Load(), int32(1))
		is.Equal(closed.Load(), int32(1))
		is.True(m.Closed())
	}
}

type addressed uintptr

func (a addressed) Addr() uintptr { return uintptr(a) }
func (addressed) Error() string   { return "fault" }

// Only an address inside, up to the end of the last page, is ours.
func TestEndTakesOwnFaultsOnly(t *testing.T) {
	is := is.New(t)
	m := New("m", make([]byte, 100), nil)
	first, last := span(m.Bytes())
	operation := func(p any) (passed any, err error) {
		defer func() { passed = recover() }()
		func() {
			old, ok := m.Begin()
			is.True(ok)
			defer m.End(old, &err)
			if p != nil {
				panic(p)
			}
		}()
		return nil, err
	}
	for _, a := range []uintptr{first, first + 50, last} {
		passed, err := operation(addressed(a))
		is.Equal(err, ErrFault)
		is.Equal(passed, nil)
	}
	for _, p := range []any{addressed(first - 1), addressed(last + 1), addressed(0), "another panic"} {
		passed, err := operation(p)
		is.NoErr(err)
		is.Equal(passed, p)
	}
	passed, err := operation(nil)
	is.NoErr(err)
	is.Equal(passed, nil)
	m.Close() // nobody is inside after all that
	is.True(m.freed.Load())
	_, ok := m.Begin()
	is.True(!ok)
}
