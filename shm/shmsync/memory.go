package shmsync

import (
	"fmt"
	"os"

	"github.com/ipcctl/ipc/shm/internal/memory"
)

// Memory is shared memory that its owner can close and that another process
// can take away. Each shm.Region has one inside, and makes the mutexes,
// semaphores and events in it; Plain makes one of ordinary bytes.
type Memory = memory.Memory

// Plain is memory of this process alone, which cannot disappear. It must begin
// at a multiple of 8.
func Plain(b []byte) *Memory { return memory.New(b, nil) }

// place checks that n bytes at off, a multiple of 8, lie in mem.
func place(mem *Memory, off int64, n int) error {
	if size := int64(mem.Size()); off < 0 || off%8 != 0 || off > size-int64(n) {
		return fmt.Errorf("shmsync: %w: %d bytes at offset %d of %d (offsets are multiples of 8)", os.ErrInvalid, n, off, size)
	}
	return nil
}
