//go:build unix

package queue

import (
	"errors"
	"os"
	"path/filepath"
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
	if err != nil {
		t.Skip("too long for this system:", err)
	}
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
