//go:build unix

package pipe

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
)

// Two that duplicate into the same pipes, each into the other's second first,
// take turns.
func TestTeesWithTheSameDestinations(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	_, a := pair(t, stream)
	_, b := pair(t, stream)
	start := make(chan struct{})
	var tees sync.WaitGroup
	for i := range 400 {
		dst, dup := a, b
		if i%2 == 1 {
			dst, dup = b, a
		}
		tees.Go(func() {
			<-start
			if _, err := Tee(ctx, dst, dup, strings.NewReader("")); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	tees.Wait()
	_, err := Tee(ctx, a, a, strings.NewReader("")) // one and the same
	is.NoErr(err)
}

// A Relay that has one end and waits for the other, which a call is using, ends
// when the first is closed.
func TestCloseEndsARelayThatWaitsForItsTurn(t *testing.T) {
	is := is.New(t)
	r, _ := pair(t, stream)
	_, w := pair(t, stream)
	is.NoErr(w.mu.lock(t.Context())) // as a call does
	defer w.mu.unlock()
	relayed := later(func() error { _, err := Relay(watched(t), w, r); return err })
	for r.d.relay.Load() == nil {
		runtime.Gosched()
	}
	is.NoErr(r.Close())
	is.True(errors.Is(relayed(), os.ErrClosed))
}

// A Relay sends what is buffered before its own. If the end is closed meanwhile,
// Close says what was not sent, as it does without a Relay.
func TestCloseUnderARelayReportsWhatWasNotSent(t *testing.T) {
	is := is.New(t)
	_, w := pair(t, stream)
	_, err := w.WriteContext(soon(t), make([]byte, 1<<20)) // until the pipe is full
	is.True(err != nil)
	w.flushing = true // nobody else sends it
	is.NoErr(w.SendBuffered(t.Context(), []byte("message")))
	src, feed := io.Pipe()
	defer feed.Close()
	relayed := later(func() error { _, err := Relay(watched(t), w, src); return err })
	for w.mu.users.Load() == 0 {
		runtime.Gosched()
	}
	err = w.Close()
	is.True(err != nil && strings.Contains(err.Error(), "11 bytes of messages were never sent"))
	is.True(errors.Is(relayed(), os.ErrClosed))
}
