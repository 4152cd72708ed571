//go:build unix

package rpc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// dialPairs returns a Dial whose connections peer serves at the other end.
func dialPairs(peer func(*socket.Conn)) func(context.Context) (*socket.Conn, error) {
	return func(context.Context) (*socket.Conn, error) {
		a, b, err := socket.Pair()
		if err == nil {
			go peer(b)
		}
		return a, err
	}
}

// Only the server itself can say that nothing was done: a handler that passes on what a
// server of its own has told it must not have the call made again.
func TestHandlersShutdownIsNotTheServers(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	var runs atomic.Int32
	s := &Server{}
	s.HandleFunc("/relay", func(context.Context, *Call) ([]byte, error) {
		if runs.Add(1) > 1 {
			cancel()
		}
		return nil, Errorf(CodeShutdown, "the server behind me is shutting down")
	})
	cl := Dial("", &ClientOptions{Dial: dialPairs(s.ServeConn)})
	defer cl.Close()
	_, err := cl.Call(ctx, "/relay", nil)
	is.Equal(runs.Load(), int32(1))
	var e *Error
	is.True(errors.As(err, &e))
	is.Equal(e.Code, CodeUnknown)
	is.Equal(e.Text, "the server behind me is shutting down")
	is.NoErr(cl.Close())
	is.NoErr(s.Shutdown(soon(t)))
}

// A connection that ends before anything was answered counts as an attempt that failed.
func TestPauseAfterAConnectionWithoutAnswer(t *testing.T) {
	for name, peer := range map[string]func(*socket.Conn){
		"closes": func(c *socket.Conn) { c.Close() }, // as a listener whose policy denies it
		"dies of the call": func(c *socket.Conn) {
			_, _ = c.Recv(context.Background())
			c.Close()
		},
		"refuses": func(c *socket.Conn) {
			defer c.Close()
			m, err := c.Recv(context.Background())
			if err != nil {
				return
			}
			h, _, _ := parseHeader(m.Data)
			_ = c.Send(context.Background(), header{kindEnd, 0, uint16(CodeShutdown), h.id}.append(nil))
			_, _ = c.Recv(context.Background())
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var dials atomic.Int32
			dial := dialPairs(peer)
			cl := Dial("", &ClientOptions{
				MinBackoff: time.Hour,
				Dial: func(ctx context.Context) (*socket.Conn, error) {
					if dials.Add(1) > 1 {
						cancel()
					}
					return dial(ctx)
				},
			})
			defer cl.Close()
			_, err := cl.Do(ctx, &Request{Method: "/x", Idempotent: true, Timeout: 20 * time.Millisecond})
			is.True(err != nil)
			is.Equal(dials.Load(), int32(1))
		})
	}
	t.Run("none after an answer", func(t *testing.T) {
		is := is.New(t)
		s := testServer()
		s.HandleFunc("/die", func(_ context.Context, c *Call) ([]byte, error) {
			c.x.wire.c.Close()
			return nil, nil
		})
		cl := Dial("", &ClientOptions{MinBackoff: time.Hour, Dial: dialPairs(s.ServeConn)})
		defer cl.Close()
		for range 3 {
			_, err := cl.Call(soon(t), "/echo", nil)
			is.NoErr(err)
			_, err = cl.Call(soon(t), "/die", nil)
			is.True(errors.Is(err, ErrConnection))
		}
		is.NoErr(s.Shutdown(soon(t)))
	})
}

// Close ends calls that wait for a connection, too.
func TestCloseWhileConnecting(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	for name, o := range map[string]*ClientOptions{
		"waiting for the server": {Socket: &socket.DialOptions{Wait: true}},
		"in a pause":             {MinBackoff: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			cl := Dial(absent, o)
			ended := make(chan error, 2)
			for range cap(ended) {
				go func() {
					_, err := cl.Do(soon(t), &Request{Method: "/x", Idempotent: true})
					ended <- err
				}()
			}
			eventually(t, "a call connects", func() bool { return len(cl.dialing) == 1 })
			is.NoErr(cl.Close())
			for range cap(ended) {
				is.True(errors.Is(<-ended, ErrClosed))
			}
		})
	}
}

// waitingContext tells who waits for its end.
type waitingContext struct {
	context.Context
	waits *atomic.Int32
}

func (c waitingContext) Done() <-chan struct{} {
	c.waits.Add(1)
	return c.Context.Done()
}

// Calls that wait while another one connects share what becomes of it: they do not make
// their own attempts one after the other, each after a longer pause.
func TestCallersShareAnAttemptThatFails(t *testing.T) {
	is := is.New(t)
	proceed := make(chan bool)
	var dials atomic.Int32
	cl := Dial("", &ClientOptions{
		MinBackoff: time.Hour,
		Dial: func(context.Context) (*socket.Conn, error) {
			dials.Add(1)
			<-proceed
			return nil, os.ErrNotExist
		},
	})
	defer cl.Close()
	const calls = 5
	var waits [calls]atomic.Int32
	ended := make(chan error, calls)
	for i := range calls {
		go func() {
			_, err := cl.Call(waitingContext{soon(t), &waits[i]}, "/x", nil)
			ended <- err
		}()
	}
	eventually(t, "all wait", func() bool {
		for i := range waits {
			if waits[i].Load() == 0 {
				return false
			}
		}
		return dials.Load() == 1
	})
	close(proceed)
	for range calls {
		err := <-ended
		is.True(errors.Is(err, ErrConnection))
		is.True(errors.Is(err, os.ErrNotExist))
	}
	is.Equal(dials.Load(), int32(1))
}

// A file that is closed is the request's fault, and not the connection's.
func TestRequestWithAClosedFile(t *testing.T) {
	is := is.New(t)
	s := testServer()
	var dials atomic.Int32
	dial := dialPairs(s.ServeConn)
	cl := Dial("", &ClientOptions{Dial: func(ctx context.Context) (*socket.Conn, error) {
		dials.Add(1)
		return dial(ctx)
	}})
	defer cl.Close()
	f, err := os.Open(os.DevNull)
	is.NoErr(err)
	f.Close()
	_, err = cl.Do(soon(t), &Request{Method: "/echo", Files: []*os.File{f}, Idempotent: true})
	is.True(errors.Is(err, os.ErrClosed))
	is.True(!errors.Is(err, ErrConnection))
	_, err = cl.Call(soon(t), "/echo", nil)
	is.NoErr(err)
	is.Equal(dials.Load(), int32(1))
	is.NoErr(cl.Close())
	is.NoErr(s.Shutdown(soon(t)))
}

// A listener whose server is shut down before it serves is closed, too.
func TestServeAfterShutdown(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := socket.Listen(path, nil)
	is.NoErr(err)
	defer l.Close()
	s := testServer()
	is.NoErr(s.Shutdown(soon(t)))
	is.True(errors.Is(s.Serve(l), ErrClosed))
	_, err = os.Lstat(path)
	is.True(errors.Is(err, os.ErrNotExist))
}

// The loss of a connection that is noticed while the next one is made is not told after
// that: the last state is always the true one.
func TestStatesInOrder(t *testing.T) {
	is := is.New(t)
	s := testServer()
	var mu sync.Mutex
	var states []State
	var lose func()
	cl := Dial("", &ClientOptions{
		Dial: dialPairs(s.ServeConn),
		OnState: func(s State, _ error) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, s)
			if s == Connecting && lose != nil {
				lose()
			}
		},
	})
	defer cl.Close()
	_, err := cl.Call(soon(t), "/echo", nil)
	is.NoErr(err)
	for range 200 {
		old := cl.link
		ctx, cancel := context.WithCancel(soon(t))
		held := make(chan error, 1)
		go func() { _, err := cl.Call(ctx, "/wait", nil); held <- err }()
		eventually(t, "it waits", func() bool { return old.wire.active.Load() == 1 })
		old.goAway()
		told := make(chan bool)
		lose = func() {
			go func() { old.fail(ErrConnection); close(told) }()
			<-held
			for range 100 { // fail is about to tell
				runtime.Gosched()
			}
		}
		_, err := cl.Call(soon(t), "/echo", nil)
		is.NoErr(err)
		<-told
		cancel()
		mu.Lock()
		last := states[len(states)-1]
		mu.Unlock()
		is.Equal(last, Ready)
	}
	is.NoErr(cl.Close())
	is.NoErr(s.Shutdown(soon(t)))
}
