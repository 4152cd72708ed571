//go:build unix

package shm_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/shm/shmsync"
)

func benchRegion(b *testing.B, size int) *shm.Region {
	r, err := shm.Anonymous(size, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close() })
	return r
}

func BenchmarkCopySameProcess(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 64 << 10, 1 << 20, 16 << 20} {
		r := benchRegion(b, size)
		buf := make([]byte, size)
		for i := range buf {
			buf[i] = 1
		}
		mem, unpin, _ := r.Pin()
		defer unpin()
		b.Run(fmt.Sprintf("plain/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				copy(mem, buf)
			}
		})
		b.Run(fmt.Sprintf("WriteAt/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r.WriteAt(buf, 0)
			}
		})
		b.Run(fmt.Sprintf("ReadAt/%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r.ReadAt(buf, 0)
			}
		})
	}
}

func BenchmarkViewSameProcess(b *testing.B) {
	r := benchRegion(b, 4096)
	b.ReportAllocs()
	for b.Loop() {
		r.View(0, 8, func(b []byte) error { return nil })
	}
}

func BenchmarkWord64AddSameProcess(b *testing.B) {
	r := benchRegion(b, 4096)
	w, _ := r.Word64(8)
	b.ReportAllocs()
	for b.Loop() {
		w.Add(1)
	}
}

func BenchmarkMutexUncontendedSameProcess(b *testing.B) {
	r := benchRegion(b, 4096)
	m, err := r.Mutex(0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Lock(context.Background())
		m.Unlock()
	}
}

func BenchmarkSemaphoreUncontendedSameProcess(b *testing.B) {
	r := benchRegion(b, 4096)
	m, err := r.Semaphore(0, 4)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Acquire(context.Background())
		m.Release()
	}
}

var _ = shmsync.MutexSize

func BenchmarkByteCellSameProcess(b *testing.B) {
	for _, size := range []int{64, 4096} {
		r, err := shm.Anonymous(shm.ByteCellSize(size), &shm.Options{Init: func(m []byte) error { return shm.InitByteCell(m, size) }})
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close()
		c, err := shm.OpenByteCell(r, 0)
		if err != nil {
			b.Fatal(err)
		}
		v := make([]byte, size)
		c.Store(context.Background(), v)
		b.Run(fmt.Sprintf("Load/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v, _, _ = c.Load(v)
			}
		})
		b.Run(fmt.Sprintf("Store/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Store(context.Background(), v)
			}
		})
	}
}

func BenchmarkCellLoad64BSameProcess(b *testing.B) {
	type value struct{ A [8]uint64 }
	r, err := shm.Anonymous(shm.CellSize[value](), &shm.Options{Init: shm.InitCell[value]})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	c, err := shm.OpenCell[value](r, 0)
	if err != nil {
		b.Fatal(err)
	}
	c.Store(context.Background(), value{})
	b.ReportAllocs()
	for b.Loop() {
		c.Load()
	}
}
