package shmsync

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// SemaphoreSize is the size of a Semaphore of n permits in shared memory.
func SemaphoreSize(n int) int { return (semHeader + 4*n + 7) &^ 7 }

const semHeader = 8

// A Semaphore has n permits, which processes acquire and release. The permits
// of a process that dies are free again: each permit is a word that names its
// owner, so there is no count to lose.
//
//	0       changes   counts releases; what waiters sleep on
//	4       waiting   1: somebody may sleep
//	8+4i    permit i  the owner's id, 0: free
type Semaphore struct {
	place
	self    *Member
	changes *atomic.Uint32
	waiting *atomic.Uint32
	permit  []*atomic.Uint32

	mu   sync.Mutex
	mine []int // permits of this handle, to be released last in first out
}

// MaxPermits bounds the permits of one semaphore.
const MaxPermits = 4096

// NewSemaphore returns the semaphore of n permits at offset off, a multiple of
// 8, of mem; every process passes the same n. In zeroed memory all are free.
func NewSemaphore(mem *Memory, off int64, n int, self *Member) (*Semaphore, error) {
	if n <= 0 || n > MaxPermits {
		return nil, fmt.Errorf("shmsync: %w: %d permits (1 to %d)", os.ErrInvalid, n, MaxPermits)
	}
	p, err := placeAt(mem, off, SemaphoreSize(n))
	if err != nil {
		return nil, err
	}
	s := &Semaphore{place: p, self: self, changes: p.word(0), waiting: p.word(4)}
	for i := range n {
		s.permit = append(s.permit, p.word(semHeader+4*i))
	}
	return s, nil
}

// Acquire takes one permit, waiting for one until ctx ends. os.ErrClosed means
// that the memory was closed.
func (s *Semaphore) Acquire(ctx context.Context) error {
	return s.wrap("acquire", s.acquire(ctx))
}

// acquire ends when it has a permit or Wait returns an error.
func (s *Semaphore) acquire(ctx context.Context) (err error) {
	mode, open := s.mem.Begin()
	if !open {
		return os.ErrClosed
	}
	defer s.mem.End(mode, &err)
	for pause := time.Duration(0); ; pause = min(max(2*pause, firstProbe), maxProbe) {
		seen := s.changes.Load() // before looking: a later release changes it
		if s.takeFree() {
			return nil
		}
		if ok, err := s.takeFromDead(); ok || err != nil {
			return err
		}
		s.waiting.Store(1)
		if pause == 0 {
			continue // look once more, now that releases wake us
		}
		if err := s.self.set.wait(ctx, s.changes, seen, pause); err != nil {
			return err
		}
	}
}

func (s *Semaphore) takeFree() bool {
	for i, p := range s.permit {
		if p.Load() == 0 && p.CompareAndSwap(0, s.self.id) {
			s.keep(i)
			return true
		}
	}
	return false
}

// takeFromDead takes over one permit of an owner that died.
func (s *Semaphore) takeFromDead() (ok bool, err error) {
	alive := map[uint32]bool{0: true, s.self.id: true}
	for i, p := range s.permit {
		owner := p.Load()
		if alive[owner] {
			continue
		}
		dead, err := s.self.ifDead(owner&idMask, func() { ok = p.CompareAndSwap(owner, s.self.id) })
		if err != nil {
			return false, err
		}
		if ok {
			s.keep(i)
			return true, nil
		}
		alive[owner] = !dead
	}
	return false, nil
}

func (s *Semaphore) keep(i int) {
	s.mu.Lock()
	s.mine = append(s.mine, i)
	s.mu.Unlock()
}

// Release gives one permit of this handle back. ErrNotOwner means that it has
// none.
func (s *Semaphore) Release() error { return s.wrap("release", s.release()) }

func (s *Semaphore) release() (err error) {
	mode, open := s.mem.Begin()
	if !open {
		return os.ErrClosed
	}
	defer s.mem.End(mode, &err)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.mine)
	if n == 0 {
		return ErrNotOwner
	}
	i := s.mine[n-1]
	s.mine = s.mine[:n-1]
	s.permit[i].Store(0)
	// SYNC(release): Release -> acquire
	s.changes.Add(1)
	if s.waiting.Load() != 0 && s.waiting.Swap(0) != 0 {
		Wake(s.changes, -1) // all: the flag is gone, who stays sets it again
	}
	return nil
}

// Held is the number of permits that this handle has.
func (s *Semaphore) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mine)
}
