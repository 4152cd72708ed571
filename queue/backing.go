package queue

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/shm/shmsync"
)

// backing is all that the queue needs of an operating system: memory, locks
// that die with their holder, and sleep. The tests have one on the heap.
type backing interface {
	memory() []byte
	// TryLock, Unlock and Held act on the lock of a lane; the kernel drops it
	// when the holder dies, and only then.
	TryLock(lane int) (bool, error)
	Unlock(lane int) error
	Held(lane int) (bool, error)
	// Wait sleeps while *w == old, for at most max.
	Wait(ctx context.Context, w *atomic.Uint32, old uint32, max time.Duration) error
	wake(w *atomic.Uint32, n int) int
	// removed reports whether the object has lost its last name.
	removed() bool
	// interrupt ends every Wait, now and later.
	interrupt()
	// Close gives memory and locks back. Nobody uses them any more.
	Close() error
}

// segment is the backing in a file: shared memory by name, any file by path,
// or an anonymous one.
type segment struct {
	*shmsync.WaitSet
	*shmsync.Liveness
	mem   []byte
	file  *os.File
	named bool
	free  func()
}

// pinned is what shm.Region and shm.Reader have in common.
type pinned interface {
	Pin() (mem []byte, unpin func(), err error)
	Liveness() (*shmsync.Liveness, error)
	File() *os.File
	Close() error
}

var (
	_ pinned  = (*shm.Region)(nil)
	_ pinned  = (*shm.Reader)(nil)
	_ backing = (*segment)(nil)
)

// newSegment takes over p.
func newSegment(p pinned, named bool) (*segment, error) {
	mem, unpin, err := p.Pin()
	if err != nil {
		p.Close()
		return nil, err
	}
	live, err := p.Liveness()
	if err != nil {
		unpin()
		p.Close()
		return nil, err
	}
	return &segment{
		WaitSet: shmsync.NewWaitSet(), Liveness: live,
		mem: mem, file: p.File(), named: named,
		free: func() { unpin(); p.Close() },
	}, nil
}

func (s *segment) memory() []byte                   { return s.mem }
func (s *segment) wake(w *atomic.Uint32, n int) int { return shmsync.Wake(w, n) }
func (s *segment) interrupt()                       { s.WaitSet.Close() }

func (s *segment) removed() bool {
	if !s.named {
		return false
	}
	fi, err := s.file.Stat()
	return err == nil && links(fi) == 0
}

func (s *segment) Close() error {
	s.WaitSet.Close()
	err := s.Liveness.Close()
	s.free()
	return err
}
