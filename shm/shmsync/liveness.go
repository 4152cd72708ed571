package shmsync

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// Liveness holds and probes kernel locks on one object: "index i belongs to a
// living process". The kernel drops a lock when its holder dies, however it
// dies, and keeps it while the holder is stopped. A lock says nothing about
// pids, so it is right across pid namespaces and after pid reuse.
//
// On Linux, index i is the byte 1<<40 + i of the object, locked with an open
// file description lock (F_OFD_SETLK, fcntl(2)) of a description that is
// opened for this purpose, is never shared and is closed on exec. Elsewhere,
// and on a Linux without such locks, it is flock(2) on a file per index in the
// runtime directory; there, all processes of one object must belong to one user
// and agree on that directory.
//
// Safe for concurrent use. Two Liveness of one process exclude each other, as
// those of two processes do.
type Liveness struct {
	name string

	mu     sync.Mutex
	closed bool
	held   map[int]struct{}
	locks  locks
}

// locks are the locks of one object, as this system has them. The calls come
// one at a time.
type locks interface {
	try(i int) (bool, error)
	unlock(i int) error
	held(i int) (bool, error) // by another
	close() error
}

// OpenLiveness opens the locks of the object that f refers to. f stays the
// caller's; it needs no write permission for probing alone.
func OpenLiveness(f *os.File) (*Liveness, error) { return newLiveness(f, openLocks) }

func newLiveness(f *os.File, open func(*os.File) (locks, error)) (*Liveness, error) {
	k, err := open(f)
	if err != nil {
		return nil, fmt.Errorf("shmsync: open locks of %q: %w", f.Name(), err)
	}
	return &Liveness{name: f.Name(), held: map[int]struct{}{}, locks: k}, nil
}

// errIndex is a negative index.
var errIndex = errors.New("negative index")

// do runs op on index i under the mutex.
func (l *Liveness) do(what string, i int, op func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := os.ErrClosed
	switch {
	case i < 0:
		err = errIndex
	case !l.closed:
		err = op()
	}
	if err != nil {
		return fmt.Errorf("shmsync: %s index %d of %q: %w", what, i, l.name, err)
	}
	return nil
}

// TryLock takes index i if nobody has it. It reports false if another
// Liveness holds it, in any process, and also if this one does.
func (l *Liveness) TryLock(i int) (ok bool, err error) {
	err = l.do("lock", i, func() error {
		if _, mine := l.held[i]; mine {
			return nil
		}
		var err error
		if ok, err = l.locks.try(i); ok {
			l.held[i] = struct{}{}
		}
		return err
	})
	return ok && err == nil, err
}

// Unlock gives index i up. Unlocking what is not held is an error.
func (l *Liveness) Unlock(i int) error {
	return l.do("unlock", i, func() error {
		if _, mine := l.held[i]; !mine {
			return errors.New("not held")
		}
		delete(l.held, i) // with an error too: it may be had again
		return l.locks.unlock(i)
	})
}

// Held reports whether another Liveness holds index i. It disturbs nobody.
func (l *Liveness) Held(i int) (held bool, err error) {
	err = l.do("probe", i, func() error {
		var err error
		held, err = l.locks.held(i)
		return err
	})
	return held, err
}

// Close drops all locks. It is idempotent.
func (l *Liveness) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	clear(l.held)
	return l.locks.close()
}
