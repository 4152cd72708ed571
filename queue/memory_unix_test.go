//go:build unix

package queue

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// sparse makes the file of a queue without reserving its memory.
func sparse(t *testing.T, g geometry) (path string) {
	is := is.New(t)
	path = filepath.Join(t.TempDir(), "q")
	f, err := os.Create(path)
	is.NoErr(err)
	defer f.Close()
	is.NoErr(f.Truncate(int64(g.size)))
	mem, err := unix.Mmap(int(f.Fd()), 0, g.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	is.NoErr(err)
	defer unix.Munmap(mem)
	is.NoErr(g.init(mem))
	return path
}

// TestLongestEntry uses a queue whose entries are as long as they can be, and meets
// one whose entries are longer.
func TestLongestEntry(t *testing.T) {
	is := is.New(t)
	g, err := (&Options{Capacity: 1, Lanes: 2, MaxMessage: maxChunkSize}).plan()
	if err != nil && strconv.IntSize == 32 {
		t.Skip("too long for this system:", err)
	}
	is.NoErr(err)
	is.Equal(g.chunks, uint32(0)) // each in one piece
	q := opened(t)(Open(sparse(t, g), nil))
	is.NoErr(q.TryPut([]byte("message")))
	m, err := q.TryLease()
	is.NoErr(err)
	is.Equal(string(m.Bytes()), "message")
	is.NoErr(m.Ack())
	r, err := q.Reserve(t.Context(), maxChunkSize)
	is.NoErr(err)
	is.Equal(len(r.Bytes()), maxChunkSize)
	r.Abort()

	path := sparse(t, g)
	g.blockSize += 2 * lineAlign
	g.size = int(roundUp(int64(g.offBlocks)+int64(g.blocks)*int64(g.blockSize), pageAlign))
	h := make([]byte, headerSize)
	g.encode(h)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	is.NoErr(err)
	defer f.Close()
	_, err = f.WriteAt(h, 0)
	is.NoErr(err)
	is.NoErr(f.Truncate(int64(g.size)))
	_, err = Open(path, nil)
	is.True(errors.Is(err, ErrCorrupt))
}

// TestHostileMemoryOfCaller passes memory that faults, as a file does that is shorter
// than its mapping. It is the caller's panic; a caller that recovers can go on, as often
// as it likes, and what the queue lost by that it counts.
func TestHostileMemoryOfCaller(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes some accesses in C, where a fault is not a panic")
	}
	is := is.New(t)
	bad, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	is.NoErr(err)
	defer unix.Munmap(bad)
	panics := func(f func()) {
		t.Helper()
		defer func() {
			t.Helper()
			if err, _ := recover().(runtime.Error); err == nil {
				t.Error("no panic")
			}
		}()
		f()
	}
	q := opened(t)(Create(filepath.Join(t.TempDir(), "q"), &Options{Capacity: 4, MaxMessage: 5000, EntrySize: 128, Memory: 100 << 10}))
	ctx := patient(t)
	const rounds = 2 * maxOps
	for range rounds {
		panics(func() { q.Put(ctx, bad[:8]) })
		panics(func() { q.Put(ctx, bad[:5000]) })
		panics(func() { q.PutBatch(ctx, [][]byte{bad[:8], bad[:8]}) })
		for _, msg := range [][]byte{make([]byte, 8), make([]byte, 5000)} {
			is.NoErr(q.Put(ctx, msg))
			panics(func() { q.GetInto(ctx, bad) })
		}
		_, err := q.PutBatch(ctx, [][]byte{make([]byte, 8), make([]byte, 8)})
		is.NoErr(err)
		panics(func() { q.GetInto(ctx, bad) }) // copies before it takes
		msgs, err := q.GetBatch(ctx, 2)
		is.NoErr(err)
		is.Equal(len(msgs), 2)
	}
	s := q.Stats()
	is.Equal(s.Len, 0)
	is.Equal(s.ChunksUsed, 0)
	is.Equal(s.Lost, uint64(2*rounds))
	is.Equal(s.LostAtMost, uint64(rounds))
	is.NoErr(q.Close())
	is.True(q.gone)
}

// TestHostileTruncation takes memory away under Put, Get and Lease, with every word that
// they meet first. Nothing of the handle remains after its Close.
func TestHostileTruncation(t *testing.T) {
	for name, op := range fastOps {
		for what, size := range map[string]func(g geometry) int{
			"all":    func(geometry) int { return 0 },
			"slots":  func(g geometry) int { return g.offSlots },
			"blocks": func(g geometry) int { return g.offBlocks },
		} {
			t.Run(name+" without "+what, func(t *testing.T) {
				if what != "all" && os.Getpagesize() > pageAlign {
					t.Skip("a page has more than one part of the queue")
				}
				is := is.New(t)
				path := filepath.Join(t.TempDir(), "q")
				q := opened(t)(Create(path, &Options{Capacity: 64, MaxMessage: 8, Lanes: 8}))
				ready(t, q)
				is.Equal(q.r.offSlots%pageAlign, 0) // else it remains
				is.NoErr(os.Truncate(path, int64(size(q.r.geometry))))
				is.True(errors.Is(op.do(q), ErrCorrupt))
				is.NoErr(q.Close())
				is.True(q.gone)
			})
		}
	}
}
