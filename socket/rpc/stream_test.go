//go:build unix

package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// A message behind the end of a stream is the sender's error, and no reason
// for the server to end the connection with all its calls.
func TestStreamSendAfterCloseSend(t *testing.T) {
	is := is.New(t)
	cl := connect(t, testServer())
	other, err := cl.Stream(soon(t), "/upper", nil)
	is.NoErr(err)
	s, err := cl.Stream(soon(t), "/upper", nil)
	is.NoErr(err)
	is.NoErr(s.Send(soon(t), []byte("a")))
	is.NoErr(s.CloseSend(soon(t)))
	err = s.Send(soon(t), []byte("b"))
	is.True(errors.Is(err, os.ErrClosed))
	is.NoErr(s.CloseSend(soon(t))) // again is nothing
	m, err := s.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "A")
	_, err = s.Recv(soon(t))
	is.Equal(err.Error(), "EOF")
	is.Equal(string(s.Reply().Data), "1 messages")

	is.NoErr(other.Send(soon(t), []byte("still here")))
	m, err = other.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "STILL HERE")
	is.NoErr(other.Close())
}

// An error with the code of success is an error all the same.
func TestErrorWithoutACode(t *testing.T) {
	is := is.New(t)
	s := testServer()
	s.HandleFunc("/zero", func(context.Context, *Call) ([]byte, error) { return nil, &Error{Text: "oh"} })
	cl := connect(t, s)
	_, err := cl.Call(soon(t), "/zero", nil)
	var e *Error
	is.True(errors.As(err, &e))
	is.Equal(*e, Error{CodeUnknown, "oh"})
}

// The window that PROTOCOL.md names is the one there is.
func TestWindowOfTheProtocol(t *testing.T) {
	is := is.New(t)
	text, err := os.ReadFile("PROTOCOL.md")
	is.NoErr(err)
	is.Equal(initialWindow, 1_048_576)
	is.Equal(bytes.Count(text, []byte("1,048,576")), 2)
}

// A message that cannot be sent takes nothing of the window.
func TestStreamSendOfTooMuch(t *testing.T) {
	is := is.New(t)
	cl := connect(t, testServer())
	st, err := cl.Stream(soon(t), "/upper", nil)
	is.NoErr(err)
	defer st.Close()
	closed, err := os.Open(os.DevNull)
	is.NoErr(err)
	is.NoErr(closed.Close())
	for range 5 {
		is.True(errors.Is(st.Send(soon(t), make([]byte, 1<<20)), socket.ErrTooLarge))
		is.True(errors.Is(st.Send(soon(t), make([]byte, 1<<19), closed), os.ErrClosed))
	}
	is.NoErr(st.Send(soon(t), []byte("x")))
	m, err := st.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "X")
}

// clog fills the connection until it has no room left for a single frame.
func clog(t *testing.T, c *socket.Conn) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := c.Send(ctx, []byte("filler"))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// next returns the next frame that a client has sent to its peer.
func next(t *testing.T, peer *socket.Conn) (header, []byte) {
	t.Helper()
	for {
		m, err := peer.Recv(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Data) >= 6 && string(m.Data[:6]) == "filler" {
			continue
		}
		h, payload, err := parseHeader(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		return h, payload
	}
}

// A stream whose call goes out only after its context has ended is called off.
func TestStreamThatBeginsTooLate(t *testing.T) {
	is := is.New(t)
	a, peer, err := socket.Pair()
	is.NoErr(err)
	defer peer.Close()
	clog(t, a)
	cl := NewClient(a)
	defer cl.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := make(chan error, 1)
	go func() {
		_, err := cl.Stream(ctx, "/upper", nil)
		begun <- err
	}()
	w := &cl.ready.Load().wire
	eventually(t, "it waits for room", w.busy)
	cancel()
	is.True(errors.Is(<-begun, context.Canceled))
	call, _ := next(t, peer)
	is.Equal(call.kind, kindCall)
	h, _ := next(t, peer)
	is.Equal(h.kind, kindCancel)
	is.Equal(h.id, call.id)
}

// A Recv whose context ends while the credit finds no room loses none of it.
func TestCreditOutlivesItsRecv(t *testing.T) {
	is := is.New(t)
	cl, a, peer := clientOf(t)
	s, err := cl.Stream(soon(t), "/flood", nil)
	is.NoErr(err)
	call, _ := next(t, peer)
	is.Equal(call.kind, kindCall)

	const size, messages = 4000, initialWindow/2/4000 + 1
	for range messages {
		is.NoErr(peer.Send(soon(t), append(header{kind: kindData, id: call.id}.append(nil), make([]byte, size)...)))
	}
	eventually(t, "all messages have come", func() bool {
		s.in.mu.Lock()
		defer s.in.mu.Unlock()
		return len(s.in.queue) == messages
	})
	clog(t, a)
	w := &cl.ready.Load().wire
	for full := false; !full; { // the buffer in front of the connection, too
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		err := cl.Notify(ctx, "/filler", make([]byte, 10_000))
		cancel()
		is.True(err == nil || errors.Is(err, context.DeadlineExceeded))
		w.mu.Lock()
		full = w.sending && len(w.buf) > maxBuffered
		w.mu.Unlock()
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	taken := 0
	for taken < initialWindow/2 {
		m, err := s.Recv(ended) // what has come, it returns all the same
		is.NoErr(err)
		taken += cost(len(m.Data), 0)
	}
	for {
		if h, payload := next(t, peer); h.kind == kindCredit {
			is.Equal(int(binary.BigEndian.Uint32(payload)), taken)
			return
		}
	}
}
