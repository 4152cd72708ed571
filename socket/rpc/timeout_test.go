//go:build unix

package rpc

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// waiter returns a server whose method /told ends with its context, and tells
// when it has begun and how it ended.
func waiter() (s *Server, begun chan bool, ended chan error) {
	s, begun, ended = testServer(), make(chan bool, 10), make(chan error, 10)
	s.HandleFunc("/told", func(ctx context.Context, _ *Call) ([]byte, error) {
		_, limited := ctx.Deadline()
		begun <- limited
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	return s, begun, ended
}

// A request's own timeout ends the call on both sides, whoever reads the
// replies: the keeper of the connection, or the caller after lone calls.
func TestTimeoutOfARequest(t *testing.T) {
	for name, lone := range map[string]bool{"the keeper reads": false, "the caller reads": true} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s, begun, ended := waiter()
			cl := connect(t, s)
			if lone {
				quickly(t, cl, "/echo")
			}
			for range 3 {
				_, err := cl.Do(t.Context(), &Request{Method: "/told", Timeout: 20 * time.Millisecond})
				is.True(errors.Is(err, context.DeadlineExceeded))
				is.True(<-begun) // the handler knew its deadline
				is.True(<-ended != nil)
				r, err := cl.Do(t.Context(), &Request{Method: "/echo", Data: []byte("on"), Timeout: watchdog})
				is.NoErr(err)
				is.Equal(string(r.Data), "on")
			}
		})
	}
}

// The context of a call with a timeout counts as well: its end, and its
// deadline if that is sooner.
func TestTimeoutAndContext(t *testing.T) {
	is := is.New(t)
	s, begun, ended := waiter()
	cl := connect(t, s)
	for range 3 {
		ctx, cancel := context.WithCancel(soon(t))
		failed := make(chan error, 1)
		go func() {
			_, err := cl.Do(ctx, &Request{Method: "/told", Timeout: watchdog})
			failed <- err
		}()
		is.True(<-begun)
		cancel()
		is.True(errors.Is(<-failed, context.Canceled))
		is.Equal(<-ended, context.Canceled)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := cl.Do(ctx, &Request{Method: "/told", Timeout: time.Hour})
	is.True(errors.Is(err, context.DeadlineExceeded))
}

// Connecting is part of the call. What Dial was given ends with it, and does
// not come back to life with the next.
func TestTimeoutWhileConnecting(t *testing.T) {
	is := is.New(t)
	var given []context.Context
	path := filepath.Join(t.TempDir(), "nobody")
	cl := Dial("", &ClientOptions{Dial: func(ctx context.Context) (*socket.Conn, error) {
		given = append(given, ctx)
		return socket.Dial(ctx, path, &socket.DialOptions{Wait: true})
	}})
	defer cl.Close()
	for i := range 3 {
		_, err := cl.Do(t.Context(), &Request{Method: "/echo", Timeout: 10 * time.Millisecond})
		is.True(errors.Is(err, context.DeadlineExceeded))
		for _, ctx := range given[:min(i, len(given))] {
			is.True(ctx.Err() != nil)
		}
	}
	is.True(len(given) > 0)
}

func TestTimedContext(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	c := newTimedContext(ctx, time.Hour)
	is.NoErr(c.Err())
	cancel()
	is.Equal(c.Err(), context.Canceled)
	<-c.Done()
	c.release()

	c = newTimedContext(context.Background(), 1)
	<-c.Done()
	is.Equal(c.Err(), context.DeadlineExceeded)
	kept := shared(c)
	c.release()

	next := newTimedContext(context.Background(), time.Hour) // perhaps the same memory
	is.NoErr(next.Err())
	is.Equal(kept.Err(), context.DeadlineExceeded)
	early, stop := context.WithDeadline(context.Background(), time.Now().Add(time.Minute))
	defer stop()
	sooner := newTimedContext(early, time.Hour)
	want, _ := early.Deadline()
	got, _ := sooner.Deadline()
	is.Equal(got, want)
	next.release()
	sooner.release()
}

// Calls too long for the buffer wait in line behind one that the server does
// not read. Each gives up in its own time, and the first goes through at last.
func TestTimeoutBehindLongCall(t *testing.T) {
	is := is.New(t)
	a, b, err := socket.Pair()
	is.NoErr(err)
	a.Configure(&socket.ConnOptions{WriteBuffer: 64 << 10}) // less than a call
	cl := NewClient(a)
	defer cl.Close()
	long := make([]byte, socket.DefaultMaxMessage-MaxMethodLen)
	first := make(chan error, 1)
	go func() {
		r, err := cl.Call(soon(t), "/echo", long)
		if err == nil && len(r) != len(long) {
			err = io.ErrShortBuffer
		}
		first <- err
	}()
	wire := &cl.ready.Load().wire
	eventually(t, "the first is being sent", wire.busy)
	for range 3 {
		_, err = cl.Do(t.Context(), &Request{Method: "/echo", Data: long, Timeout: 10 * time.Millisecond})
		is.True(errors.Is(err, context.DeadlineExceeded))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = cl.Call(ctx, "/echo", long)
		is.True(errors.Is(err, context.Canceled))
	}
	s := testServer()
	go s.ServeConn(b)
	is.NoErr(<-first)
	_, err = cl.Call(soon(t), "/echo", long)
	is.NoErr(err)
	is.NoErr(cl.Close())
	is.NoErr(s.Shutdown(soon(t)))
}
