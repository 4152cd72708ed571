//go:build unix

package shm_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/shm/shmsync"
	"github.com/matryer/is"
)

// Every error of a lock names the operation, the segment and the place.
func TestLockErrorsSayWhere(t *testing.T) {
	is := is.New(t)
	name := testName(t)
	r, err := shm.Create(name, 4096, nil)
	is.NoErr(err)
	m, err := r.Mutex(64)
	is.NoErr(err)
	s, err := r.Semaphore(128, 3)
	is.NoErr(err)
	e, err := r.Event(256)
	is.NoErr(err)
	is.True(strings.Contains(m.Unlock().Error(), `unlock at 64 of "`+name+`"`))
	is.NoErr(r.Close())
	ctx := t.Context()
	for want, op := range map[string]func() error{
		"lock at 64":     func() error { return m.Lock(ctx) },
		"try lock at 64": func() error { _, err := m.TryLock(); return err },
		"unlock at 64":   m.Unlock,
		"repaired at 64": m.Repaired,
		"acquire at 128": func() error { return s.Acquire(ctx) },
		"release at 128": s.Release,
		"set at 256":     e.Set,
		"reset at 256":   e.Reset,
		"is set at 256":  func() error { _, err := e.IsSet(); return err },
		"wait at 256":    func() error { return e.Wait(ctx) },
	} {
		err := op()
		if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), want+` of "`+name+`"`) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Locks keep their memory when nobody has the Region any more.
func TestLocksOutliveTheRegion(t *testing.T) {
	is := is.New(t)
	gone := make(chan struct{})
	var m *shmsync.Mutex
	var e *shmsync.Event
	func() {
		r, err := shm.Anonymous(4096, nil)
		is.NoErr(err)
		runtime.AddCleanup(r, func(gone chan struct{}) { close(gone) }, gone)
		m, err = r.Mutex(0)
		is.NoErr(err)
		e, err = r.Event(64)
		is.NoErr(err)
	}()
	waitUntil(t, "the region is collected", func() bool {
		runtime.GC()
		select {
		case <-gone:
			return true
		default:
			return false
		}
	})
	for range 5 { // and what it held
		runtime.GC()
		is.NoErr(m.Lock(context.Background()))
		is.NoErr(e.Set())
		is.NoErr(m.Unlock())
	}
}
