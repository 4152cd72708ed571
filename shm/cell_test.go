//go:build unix

package shm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

func newByteCell(t testing.TB, capacity int) (*shm.ByteCell, *shm.ByteCellReader) {
	t.Helper()
	name := testName(t)
	r, err := shm.Create(name, shm.ByteCellSize(capacity), &shm.Options{
		Init: func(mem []byte) error { return shm.InitByteCell(mem, capacity) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	ro, err := shm.OpenReader(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ro.Close() })
	c, err := shm.OpenByteCell(r, 0)
	if err != nil {
		t.Fatal(err)
	}
	cr, err := shm.OpenByteCellReader(ro, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c, cr
}

func TestByteCell(t *testing.T) {
	is := is.New(t)
	c, ro := newByteCell(t, 100)
	_, _, err := ro.Load(nil)
	is.True(errors.Is(err, shm.ErrEmpty))
	for i := range 30 {
		want := bytes.Repeat([]byte{byte(i)}, i*3)
		is.NoErr(c.Store(t.Context(), want))
		for _, c := range []*shm.ByteCellReader{&c.ByteCellReader, ro} {
			got, n, err := c.Load(nil)
			is.NoErr(err)
			is.Equal(n, uint64(i+1))
			is.True(bytes.Equal(got, want))
		}
	}
	is.True(errors.Is(c.Store(t.Context(), make([]byte, 101)), shm.ErrTooLarge))
	_, n, _ := ro.Load(nil)
	is.Equal(n, uint64(30))
}

func TestCellOfT(t *testing.T) {
	is := is.New(t)
	type position struct{ X, Y, Z float64 }
	r, err := shm.Anonymous(64+shm.CellSize[position](), &shm.Options{
		Init: func(mem []byte) error { return shm.InitCell[position](mem[64:]) }})
	is.NoErr(err)
	defer r.Close()
	c, err := shm.OpenCell[position](r, 64)
	is.NoErr(err)
	is.NoErr(c.Store(t.Context(), position{1, 2, 3}))
	f, err := r.ReaderFile()
	is.NoErr(err)
	defer f.Close()
	ro, err := shm.ReaderFromFile(f, nil)
	is.NoErr(err)
	defer ro.Close()
	cr, err := shm.OpenCellReader[position](ro, 64)
	is.NoErr(err)
	v, n, err := cr.Load()
	is.NoErr(err)
	is.Equal(v, position{1, 2, 3})
	is.Equal(n, uint64(1))

	_, err = shm.OpenCell[[2]uint64](r, 64)
	is.True(errors.Is(err, shm.ErrCorrupt)) // another size
	_, err = shm.OpenCell[*int](r, 64)
	is.True(errors.Is(err, shm.ErrType))
	_, err = shm.OpenCell[position](r, 0)
	is.True(errors.Is(err, shm.ErrCorrupt))
	_, err = shm.OpenCell[position](r, 65)
	is.True(errors.Is(err, os.ErrInvalid))
}

// Wait sees every kind of change, from a writable handle and a read-only one.
func TestCellWait(t *testing.T) {
	c, ro := newByteCell(t, 8)
	for kind, reader := range map[string]*shm.ByteCellReader{"announced": &c.ByteCellReader, "read-only": ro} {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			_, start, _ := reader.Load(nil)
			seen := make(chan uint64)
			go func() {
				n := start
				for range 100 {
					if err := reader.Wait(watchdogContext(t), n); err != nil {
						t.Error(err)
					}
					_, n, _ = reader.Load(nil)
					seen <- n
				}
				close(seen)
			}()
			for i := range uint64(100) {
				is.NoErr(c.Store(t.Context(), []byte("x")))
				is.Equal(<-seen, start+i+1)
			}
			<-seen
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, n, _ := reader.Load(nil)
			is.True(errors.Is(reader.Wait(ctx, n), context.Canceled))
		})
	}
}

// Many writers and readers of one process and several handles: every value is
// whole.
func TestCellManyWriters(t *testing.T) {
	is := is.New(t)
	c, ro := newByteCell(t, 96)
	reads := 200_000
	if testing.Short() {
		reads = 20_000
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writers, readers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				v := fmt.Sprintf("%d:%d:", w, i)
				if err := c.Store(context.Background(), bytes.Repeat([]byte(v), 96/len(v))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			var buf []byte
			for range reads {
				v, _, err := ro.Load(buf)
				if errors.Is(err, shm.ErrEmpty) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				unit := v[:bytes.IndexByte(v[2:], ':')+3]
				if !bytes.Equal(v, bytes.Repeat(unit, len(v)/len(unit))) {
					t.Errorf("torn: %q", v)
					return
				}
				buf = v
			}
		})
	}
	readers.Wait()
	cancel()
	writers.Wait()
	is.True(!t.Failed())
}

// A length that no writer wrote is an error, and no value.
func TestCellWithHostileLength(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(4096, &shm.Options{Init: func(mem []byte) error { return shm.InitByteCell(mem, 8) }})
	is.NoErr(err)
	defer r.Close()
	c, err := shm.OpenByteCell(r, 0)
	is.NoErr(err)
	is.NoErr(c.Store(t.Context(), []byte("value")))
	const length = 128 + 64 + 8 // of the first value: slot 1 of 64 bytes, behind the header
	w, err := r.Word64(length)
	is.NoErr(err)
	n, err := w.Load()
	is.NoErr(err)
	is.Equal(n, uint64(5))
	for _, hostile := range []uint64{9, 1 << 32, 1<<64 - 1} {
		is.NoErr(w.Store(hostile))
		v, _, err := c.Load(nil)
		is.True(errors.Is(err, shm.ErrCorrupt))
		is.Equal(len(v), 0)
	}
}

func TestInitByteCell(t *testing.T) {
	is := is.New(t)
	is.True(errors.Is(shm.InitByteCell(make([]byte, 100), 10), os.ErrInvalid))
	is.True(errors.Is(shm.InitByteCell(make([]byte, 10000), 0), os.ErrInvalid))
	for back := range 200 { // sizes that overflow
		is.True(errors.Is(shm.InitByteCell(make([]byte, 10000), math.MaxInt-back), os.ErrInvalid))
	}
}
