//go:build unix

package shm_test

import (
	"errors"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// A header that says more than the segment holds is refused, also by less than a header.
func TestCellBeyondTheSegment(t *testing.T) {
	is := is.New(t)
	const capacity = 48
	whole := make([]byte, shm.ByteCellSize(capacity))
	is.NoErr(shm.InitByteCell(whole, capacity))
	for _, missing := range []int{1, 64, 127, 128, 129} {
		r, err := shm.Anonymous(len(whole)-missing, &shm.Options{Init: func(mem []byte) error { copy(mem, whole); return nil }})
		is.NoErr(err)
		_, err = shm.OpenByteCell(r, 0)
		is.True(errors.Is(err, shm.ErrCorrupt))
		is.NoErr(r.Close())
	}
}

// A value of another length than the type's is an error, and no value.
func TestCellOfTWithOtherLength(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(shm.CellSize[uint64](), &shm.Options{Init: shm.InitCell[uint64]})
	is.NoErr(err)
	defer r.Close()
	c, err := shm.OpenCell[uint64](r, 0)
	is.NoErr(err)
	raw, err := shm.OpenByteCell(r, 0)
	is.NoErr(err)
	for _, n := range []int{0, 1, 7} {
		is.NoErr(raw.Store(t.Context(), make([]byte, n)))
		_, _, err = c.Load()
		is.True(errors.Is(err, shm.ErrCorrupt))
	}
	is.NoErr(c.Store(t.Context(), 5))
	v, _, err := c.Load()
	is.NoErr(err)
	is.Equal(v, uint64(5))
}
