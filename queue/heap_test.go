package queue

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ipcctl/ipc/shm/shmsync"
)

// heap is a queue in ordinary memory, so that the race detector sees every
// access. Several handles in one process share it; kill drops the locks of one
// handle as the kernel would.
type heap struct {
	mem  []byte
	mu   sync.Mutex
	held map[int]*heapBacking
}

// heapBacking is one handle's view of a heap.
type heapBacking struct {
	*shmsync.WaitSet
	h *heap
}

func newHeap(o *Options) (*heap, error) {
	g, err := o.plan()
	if err != nil {
		return nil, err
	}
	raw := make([]byte, g.size+lineAlign)
	skip := -uintptr(unsafe.Pointer(&raw[0])) % lineAlign
	h := &heap{mem: raw[skip:][:g.size], held: map[int]*heapBacking{}}
	return h, g.init(h.mem)
}

func (h *heap) open() (*Queue, *heapBacking, error) {
	b := &heapBacking{shmsync.NewWaitSet(), h}
	q, err := newQueue("heap", b)
	return q, b, err
}

func (b *heapBacking) memory() []byte { return b.h.mem }

func (b *heapBacking) TryLock(k int) (bool, error) {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	if b.h.held[k] != nil {
		return false, nil
	}
	b.h.held[k] = b
	return true, nil
}

func (b *heapBacking) Unlock(k int) error {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	if b.h.held[k] != b {
		return fmt.Errorf("lane %d: %w", k, os.ErrInvalid)
	}
	delete(b.h.held, k)
	return nil
}

func (b *heapBacking) Held(k int) (bool, error) {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	return b.h.held[k] != nil && b.h.held[k] != b, nil
}

// kill does what the kernel does for a process that dies.
func (b *heapBacking) kill() {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	for k, o := range b.h.held {
		if o == b {
			delete(b.h.held, k)
		}
	}
}

func (b *heapBacking) Wait(ctx context.Context, w *atomic.Uint32, old uint32, max time.Duration) error {
	return b.WaitSet.Wait(ctx, w, old, max)
}
func (b *heapBacking) wake(w *atomic.Uint32, n int) int { return shmsync.Wake(w, n) }
func (b *heapBacking) removed() bool                    { return false }
func (b *heapBacking) interrupt()                       { b.WaitSet.Close() }
func (b *heapBacking) Close() error                     { b.kill(); return b.WaitSet.Close() }
