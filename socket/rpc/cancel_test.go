//go:build unix

package rpc

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// fill makes the client's connection, and the buffer in front of it, as full as they get.
func fill(t *testing.T, cl *Client, c *socket.Conn) {
	t.Helper()
	clog(t, c)
	for full := false; !full; {
		before := held(cl)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		err := cl.Notify(ctx, "/filler", make([]byte, 10_000))
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		full = before > maxBuffered && held(cl) == before // it found no room
	}
}

// held returns how many bytes wait in front of the client's connection.
func held(cl *Client) int {
	w := &cl.link.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.buf)
}

// Calls to a peer that has stopped reading, which give up one after the other, leave
// nothing behind: no goroutine, and no cancel of a call that never went out.
func TestGivingUpOnAPeerThatHasStopped(t *testing.T) {
	for name, size := range map[string]int{"short": 10, "long": 2 * maxCopied} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cl, c, _ := clientOf(t)
			begun := make(chan error)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { _, err := cl.Call(ctx, "/sent", nil); begun <- err }()
			eventually(t, "it was sent", func() bool { return cl.link.wire.active.Load() == 1 && !cl.link.wire.busy() })
			fill(t, cl, c)
			before, had := runtime.NumGoroutine(), held(cl)
			for range 100 {
				_, err := cl.Do(t.Context(), &Request{Method: "/x", Data: make([]byte, size), Timeout: time.Millisecond})
				is.True(errors.Is(err, context.DeadlineExceeded))
			}
			is.True(runtime.NumGoroutine() < before+20)
			is.Equal(held(cl), had)

			cancel() // the one that was sent is called off
			is.True(errors.Is(<-begun, context.Canceled))
			eventually(t, "its cancel waits", func() bool { return held(cl) == had+prefixLen+headerLen })
		})
	}
}
