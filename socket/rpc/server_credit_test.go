//go:build unix

package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// A handler's Recv whose context ends while the credit finds no room returns
// the message without an error, and loses no credit.
func TestHandlersCreditOutlivesItsRecv(t *testing.T) {
	is := is.New(t)
	a, peer, err := socket.Pair()
	is.NoErr(err)
	defer peer.Close()
	srv := &Server{}
	const size, messages = 4000, initialWindow/2/4000 + 1
	got := make(chan error, 1)
	srv.HandleFunc("/take", func(ctx context.Context, c *Call) ([]byte, error) {
		eventually(t, "all messages have come", func() bool {
			c.in.mu.Lock()
			defer c.in.mu.Unlock()
			return len(c.in.queue) == messages
		})
		clog(t, a)
		w := &c.x.wire
		for full := false; !full; {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			err := w.send(ctx, func(b []byte) []byte { return header{kind: kindGoAway}.append(b) }, make([]byte, 10_000))
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				got <- err
				return nil, err
			}
			w.mu.Lock()
			full = w.sending && len(w.buf) > maxBuffered
			w.mu.Unlock()
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for taken := 0; taken < initialWindow/2; {
			m, err := c.Recv(ended)
			if err != nil {
				got <- err
				return nil, err
			}
			taken += cost(len(m.Data), 0)
		}
		got <- nil
		<-ctx.Done()
		return nil, nil
	})
	go srv.ServeConn(a)
	defer srv.Shutdown(soon(t))
	defer peer.Close()
	is.NoErr(peer.Send(soon(t), appendCall(nil, 1, flagSends, 0, "/take")))
	for range messages {
		is.NoErr(peer.Send(soon(t), append(header{kind: kindData, id: 1}.append(nil), make([]byte, size)...)))
	}
	is.NoErr(<-got)
	for {
		if h, payload := next(t, peer); h.kind == kindCredit {
			is.True(int(binary.BigEndian.Uint32(payload)) >= initialWindow/2)
			return
		}
	}
}
