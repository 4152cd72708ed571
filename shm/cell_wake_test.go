//go:build unix

package shm_test

import (
	"sync"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/shm/internal/waittest"
	"github.com/matryer/is"
)

// A value stored between a waiter's last look and its sleep keeps it from sleeping, and
// wakes all who sleep already: the waiter has said before that somebody may.
func TestCellStoreWakesAll(t *testing.T) {
	is := is.New(t)
	const changes = 72 // of the cell
	name := testName(t)
	r, err := shm.Create(name, shm.ByteCellSize(8), &shm.Options{Init: func(mem []byte) error { return shm.InitByteCell(mem, 8) }})
	is.NoErr(err)
	defer r.Close()
	c, err := shm.OpenByteCell(r, 0)
	is.NoErr(err)
	slept := false
	err = c.Wait(waittest.Awake{Context: t.Context(), Slept: &slept, Moment: sync.OnceFunc(func() {
		const n = 3
		woken := make(chan error, n)
		for range n { // each as in a process of its own
			other, err := shm.Open(name, nil)
			is.NoErr(err)
			defer other.Close()
			w, err := other.Word32(changes)
			is.NoErr(err)
			old, err := w.Load()
			is.NoErr(err)
			ctx := watchdogContext(t)
			go func() {
				err := w.Wait(ctx, old, 0)
				if ctx.Err() != nil { // the word has changed: it may have been that, and no wake-up
					err = ctx.Err()
				}
				woken <- err
			}()
		}
		untilAsleep(t, n, r, changes)
		is.NoErr(c.Store(t.Context(), []byte("value")))
		for range n {
			is.NoErr(<-woken)
		}
	})}, 0)
	is.NoErr(err)
	is.True(!slept)
}
