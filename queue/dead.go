package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ipcctl/ipc/shm"
)

// The dead-letter queue of a queue is an ordinary queue with its name and
// ".dead" behind it. Whoever gives a message back for the last time, or reaps the
// consumer that died with it, puts it there and then frees it here: a process
// that dies in between leaves it in both places, never in none.

// deadLetters is the handle on the dead-letter queue, opened when first needed.
type deadLetters struct {
	of     string // the name of the queue, also in another working directory
	mu     sync.Mutex
	q      *Queue
	closed bool
}

// DeadName returns the name of the queue that takes the dead letters of the
// queue name.
func DeadName(name string) string { return name + deadSuffix }

// ofDead returns the geometry of the dead-letter queue for a queue of geometry g.
func (g geometry) ofDead() (geometry, error) {
	g.capacity, g.dead, g.maxAttempts = g.dead, 0, 0
	if err := g.place(); err != nil {
		return geometry{}, fmt.Errorf("%w: DeadLetters: %w", errOption, err)
	}
	return g, nil
}

// createDead makes the dead-letter queue for a queue name of geometry g. One that
// is there already, because its queue was removed by hand or never came to be,
// is used as it is if it can take the same messages, and is nobody else's.
func createDead(name string, g geometry, mode os.FileMode) (made bool, err error) {
	d, err := g.ofDead()
	if err != nil {
		return false, err
	}
	obj, err := object(DeadName(name))
	if err != nil {
		return false, err
	}
	for tries := 0; ; tries++ {
		reg, err := shm.Create(obj, d.size, &shm.Options{Mode: mode, Init: d.init, File: true})
		if err == nil {
			return true, reg.Close()
		}
		if !errors.Is(err, os.ErrExist) {
			return false, err
		}
		old, oldErr := OpenReader(DeadName(name))
		if errors.Is(oldErr, os.ErrNotExist) && tries < maxRetries {
			continue // somebody removes it
		}
		if oldErr != nil {
			return false, oldErr
		}
		defer old.Close()
		if m := old.q.r.maxMessage; m != d.maxMessage {
			return false, fmt.Errorf("%q takes messages of %d bytes, not of %d: remove it, or choose that", DeadName(name), m, d.maxMessage)
		}
		return false, old.q.ownedBy(os.Geteuid())
	}
}

// ownedBy refuses the dead-letter queue q if it belongs to somebody else than user, this
// process's or root: in a directory that all may write to, anybody can make one beforehand.
func (q *Queue) ownedBy(user int) error {
	fi, err := q.File().Stat()
	if err != nil {
		return err
	}
	if o := owner(fi); o != user && o != os.Geteuid() && o != 0 {
		return fmt.Errorf("%w: %q belongs to user %d", os.ErrPermission, q.name, o)
	}
	return nil
}

// removeDead removes the dead-letter queue of the queue name.
func removeDead(name string) error {
	obj, err := object(DeadName(name))
	if err != nil {
		return err
	}
	return shm.Remove(obj)
}

// removeOrphan removes the dead-letter queue of the queue name unless that exists.
func removeOrphan(name string) {
	obj, err := object(name)
	if err != nil {
		return
	}
	if taken, err := exists(obj); err == nil && !taken {
		removeDead(name)
	}
}

// open returns the handle, or nil: without it, the messages stay where they are.
func (d *deadLetters) open(q *Queue) *Queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.q != nil && d.q.os.removed() { // it alone, by hand
		d.q.Close()
		d.q = nil
	}
	if d.q == nil && !d.closed && q.r.dead > 0 {
		d.q, _ = q.openDead()
	}
	return d.q
}

// openDead opens the dead-letter queue of q, and makes it again if it has gone and
// q has not. It does neither where the name does not lead to q: what it finds or makes
// there would be another's, or nobody's.
func (q *Queue) openDead() (*Queue, error) {
	name := q.dead.of
	if !q.isAt(name) {
		return nil, os.ErrNotExist
	}
	fi, err := q.File().Stat()
	if err != nil {
		return nil, err
	}
	d, err := openOwned(DeadName(name), owner(fi))
	if !errors.Is(err, os.ErrNotExist) {
		return d, err
	}
	if owner(fi) != os.Geteuid() {
		return nil, err // the owner could not open what others make
	}
	made, err := createDead(name, q.r.geometry, fi.Mode().Perm())
	if err != nil {
		return nil, err
	}
	if made && !q.isAt(name) { // who removed q meanwhile may not have seen it
		removeOrphan(name)
		return nil, os.ErrNotExist
	}
	return openOwned(DeadName(name), owner(fi))
}

// openOwned opens a dead-letter queue that user, root or this process's user has made.
func openOwned(name string, user int) (*Queue, error) {
	q, err := open(name)
	if err != nil {
		return nil, err
	}
	if err := q.ownedBy(user); err != nil {
		q.Close()
		return nil, err
	}
	return q, nil
}

// isAt reports whether q is what has this name. It is not after Remove, or if q came
// as a descriptor, or if its file was renamed.
func (q *Queue) isAt(name string) bool {
	obj, err := object(name)
	f := q.File()
	if err != nil || f == nil {
		return false
	}
	reg, err := shm.OpenReader(obj, nil)
	if err != nil {
		return false
	}
	defer reg.Close()
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := reg.File().Stat()
	return err == nil && os.SameFile(mine, named)
}

// fixed returns the name of what name leads to in this working directory. It is not
// made shorter: behind a symbolic link, "..", too, means something.
func fixed(name string) string {
	if !strings.Contains(name, "/") || filepath.IsAbs(name) {
		return name
	}
	if dir, err := os.Getwd(); err == nil {
		return dir + "/" + name
	}
	return name
}

func (d *deadLetters) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.q != nil {
		d.q.Close()
	}
}

// bury copies message next of block b, which the caller owns, to the
// dead-letter queue.
func (q *Queue) bury(b, next uint32) bool {
	msg, ok := q.r.appendMessage(nil, b, next)
	if !ok {
		return false
	}
	d := q.dead.open(q)
	return d != nil && d.tryPut(msg, false) == nil
}
