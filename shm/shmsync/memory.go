package shmsync

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/ipcctl/ipc/shm/internal/memory"
)

// Memory is shared memory that its owner can close and that another process
// can take away. Each shm.Region has one inside, and makes the mutexes,
// semaphores and events in it; Plain makes one of ordinary bytes.
type Memory = memory.Memory

// Plain is memory of this process alone, which cannot disappear. It must begin
// at a multiple of 8.
func Plain(b []byte) *Memory { return memory.New("(plain memory)", b, nil) }

// place is where an object is.
type place struct {
	mem *Memory
	off int64
}

// placeAt checks that n bytes at off, a multiple of 8, lie in mem.
func placeAt(mem *Memory, off int64, n int) (place, error) {
	if size := int64(mem.Size()); off < 0 || off%8 != 0 || off > size-int64(n) {
		return place{}, fmt.Errorf("shmsync: %w: %d bytes at offset %d of %d of %q (offsets are multiples of 8)",
			os.ErrInvalid, n, off, size, mem.Name())
	}
	return place{mem, off}, nil
}

// word is the 32-bit word at off bytes behind the place.
func (p place) word(off int) *atomic.Uint32 { return word(p.mem.Bytes(), int(p.off)+off) }

// wrap adds operation and place to err; nil stays nil.
func (p place) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("shmsync: %s at %d of %q: %w", op, p.off, p.mem.Name(), err)
}
