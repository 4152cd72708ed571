package shm

import (
	"errors"
	"os"

	"github.com/ipcctl/ipc/shm/shmsync"
)

// waitSet is the segment's one WaitSet: all waits of this handle together park
// at most one thread. Close ends them.
func (s *segment) waitSet() *shmsync.WaitSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == nil {
		s.waits = shmsync.NewWaitSet()
		if s.closed {
			s.waits.Close()
		}
	}
	return s.waits
}

// member is this handle's proof of life on the object, made at first use.
func (s *segment) member() (*shmsync.Member, error) {
	set := s.waitSet()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	if s.self == nil {
		l, err := shmsync.OpenLiveness(s.object.f)
		if err != nil {
			return nil, err
		}
		if s.self, err = shmsync.Join(l, set); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return s.self, nil
}

// Mutex returns the mutex at off, a multiple of 8, in shmsync.MutexSize bytes;
// zeroed memory is an unlocked mutex. All mutexes of a Region live with it:
// closing it while one is locked is like dying with it.
func (r *Region) Mutex(off int64) (*shmsync.Mutex, error) {
	m, err := r.member()
	if err != nil {
		return nil, wrap("mutex", r.name, err)
	}
	x, err := shmsync.NewMutex(r.mem, off, m)
	return x, wrap("mutex", r.name, err)
}

// Semaphore returns the semaphore of n permits at off, a multiple of 8, in
// shmsync.SemaphoreSize(n) bytes; zeroed memory has all its permits free.
func (r *Region) Semaphore(off int64, n int) (*shmsync.Semaphore, error) {
	m, err := r.member()
	if err != nil {
		return nil, wrap("semaphore", r.name, err)
	}
	x, err := shmsync.NewSemaphore(r.mem, off, n, m)
	return x, wrap("semaphore", r.name, err)
}

// Event returns the event at off, a multiple of 8, in shmsync.EventSize bytes;
// zeroed memory is an event that is not set.
func (r *Region) Event(off int64) (*shmsync.Event, error) {
	x, err := shmsync.NewEvent(r.mem, off, r.waitSet())
	return x, wrap("event", r.name, err)
}
