//go:build unix

package pipe

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// A call may be using the descriptor's number: Close leaves it open until that
// call is over, or the call would go to whatever gets the number next.
func TestCloseWaitsForTheCallUnderWay(t *testing.T) {
	r, w := pair(t, stream)
	for name, end := range map[string]struct {
		mu    *mutex
		d     *desc
		close func() error
	}{"Reader": {&r.mu, r.d, r.Close}, "Writer": {&w.mu, w.d, w.Close}} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(end.mu.lock(t.Context())) // as a call does
			closed := make(chan error)
			go func() { closed <- end.close() }()
			for range 10_000 {
				runtime.Gosched()
				select {
				case <-closed:
					t.Fatal("closed while a call was under way")
				default:
				}
				_, err := unix.FcntlInt(uintptr(end.d.fd), unix.F_GETFD, 0)
				is.NoErr(err) // the descriptor is still there
			}
			end.mu.unlock()
			is.NoErr(<-closed)
		})
	}
}

// A context that ends as the end is closed takes back the deadline that ends
// its own call. That must not keep the next call waiting, nor Close.
func TestCloseAsAContextEnds(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	for _, name := range []string{"Reader", "Writer"} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			for round := range rounds {
				r, w := pair(t, stream)
				mu, call, shut, other := &r.mu, r.ReadContext, r.Close, w.Close
				if name == "Writer" {
					mu, call, shut, other = &w.mu, w.WriteContext, w.Close, r.Close
					_, err := w.Write(pattern(1 << 16)) // it is full
					is.NoErr(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				first := later(func() error { _, err := call(ctx, make([]byte, 1)); return err })
				for mu.users.Load() < 1 { // ends: it comes
					runtime.Gosched()
				}
				next := later(func() error { _, err := call(context.Background(), make([]byte, 1)); return err })
				for mu.users.Load() < 2 { // ends: it comes too
					runtime.Gosched()
				}
				cancel()
				for range round % 8 {
					runtime.Gosched()
				}
				is.NoErr(shut())
				is.True(first() != nil)
				is.True(errors.Is(next(), os.ErrClosed))
				is.NoErr(other())
			}
		})
	}
}
