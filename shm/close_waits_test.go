//go:build unix

package shm_test

import (
	"errors"
	"os"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// Close ends the waits of its handle that sleep already.
func TestCloseEndsSleep(t *testing.T) {
	is := is.New(t)
	r, err := shm.Anonymous(4096, nil)
	is.NoErr(err)
	ctx := watchdogContext(t)
	e, err := r.Event(0)
	is.NoErr(err)
	flags, err := r.Word32(0)
	is.NoErr(err)
	word, err := r.Word32(64)
	is.NoErr(err)
	done := make(chan error)
	go func() { done <- e.Wait(ctx) }()
	go func() { done <- word.Wait(ctx, 0, 0) }()
	waitUntil(t, "the event has a waiter", func() bool { v, _ := flags.Load(); return v != 0 })
	untilAsleep(t, 1, r, 64)
	is.NoErr(r.Close())
	for range 2 {
		is.True(errors.Is(<-done, os.ErrClosed))
	}
}
