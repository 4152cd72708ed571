//go:build unix

package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
)

// watchdog bounds a hang; nothing here takes that long.
const watchdog = 60 * time.Second

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(watchdog); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, watchdog)
		}
	}
}

// connect returns a client of s over a pair.
func connect(t testing.TB, s *Server) *Client {
	t.Helper()
	a, b, err := socket.Pair()
	if err != nil {
		t.Fatal(err)
	}
	go s.ServeConn(b)
	cl := NewClient(a)
	t.Cleanup(func() {
		cl.Close()
		if err := s.Shutdown(soon(t)); err != nil {
			t.Error(err)
		}
	})
	return cl
}

// clientOf returns a client, its connection, and the other end, which is no server yet.
func clientOf(t testing.TB) (cl *Client, c, peer *socket.Conn) {
	t.Helper()
	c, peer, err := socket.Pair()
	if err != nil {
		t.Fatal(err)
	}
	cl = NewClient(c)
	t.Cleanup(func() { peer.Close(); cl.Close() })
	return cl, c, peer
}

// testServer has the methods that the tests call.
func testServer() *Server {
	s := &Server{}
	s.HandleFunc("/echo", func(_ context.Context, c *Call) ([]byte, error) { return c.Data, nil })
	s.HandleFunc("/fail", func(context.Context, *Call) ([]byte, error) { return nil, errors.New("no luck") })
	s.HandleFunc("/code", func(context.Context, *Call) ([]byte, error) { return nil, Errorf(1234, "mine") })
	s.HandleFunc("/panic", func(context.Context, *Call) ([]byte, error) { panic("boo") })
	s.HandleFunc("/who", func(_ context.Context, c *Call) ([]byte, error) {
		return fmt.Appendf(nil, "%d", c.Peer().PID), nil
	})
	s.HandleFunc("/wait", func(ctx context.Context, _ *Call) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s.HandleFunc("/upper", func(ctx context.Context, c *Call) ([]byte, error) { // a stream each way
		n := 0
		for ; ; n++ {
			m, err := c.Recv(ctx)
			if err == io.EOF {
				return fmt.Appendf(nil, "%d messages", n), nil
			}
			if err != nil {
				return nil, err
			}
			if err := c.Send(ctx, bytes.ToUpper(m.Data)); err != nil {
				return nil, err
			}
		}
	})
	s.HandleFunc("/flood", func(ctx context.Context, c *Call) ([]byte, error) { // sends until stopped
		for {
			if err := c.Send(ctx, make([]byte, 1000)); err != nil {
				return nil, err
			}
		}
	})
	return s
}

func TestCall(t *testing.T) {
	is := is.New(t)
	cl := connect(t, testServer())
	for _, n := range []int{0, 1, 64, 100_000, 1 << 19} {
		req := bytes.Repeat([]byte("x"), n)
		got, err := cl.Call(soon(t), "/echo", req)
		is.NoErr(err)
		is.True(bytes.Equal(got, req))
	}
	got, err := cl.Call(soon(t), "/who", nil)
	is.NoErr(err)
	is.Equal(string(got), fmt.Sprint(os.Getpid()))
}

func TestErrorsTravel(t *testing.T) {
	cl := connect(t, testServer())
	for method, want := range map[string]struct {
		code Code
		text string
		is   error
	}{
		"/fail":    {CodeUnknown, "no luck", nil},
		"/code":    {1234, "mine", nil},
		"/panic":   {CodePanic, `the handler of "/panic" panicked`, nil},
		"/missing": {CodeNotFound, `no method "/missing"`, os.ErrNotExist},
	} {
		is := is.New(t)
		_, err := cl.Call(soon(t), method, nil)
		var e *Error
		is.True(errors.As(err, &e))
		is.Equal(e.Code, want.code)
		is.Equal(e.Text, want.text)
		is.True(strings.Contains(err.Error(), method))
		if want.is != nil {
			is.True(errors.Is(err, want.is))
		}
	}
	is := is.New(t)
	_, err := cl.Call(soon(t), "", nil)
	is.True(errors.Is(err, os.ErrInvalid))
	_, err = cl.Call(soon(t), "/echo", make([]byte, socket.DefaultMaxMessage))
	is.True(errors.Is(err, socket.ErrTooLarge))
	_, err = cl.Call(soon(t), "/echo", nil) // and nothing is broken
	is.NoErr(err)
}

func TestConcurrentCalls(t *testing.T) {
	cl := connect(t, testServer())
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := range 50 {
				req := fmt.Sprintf("%d/%d", g, i)
				got, err := cl.Call(soon(t), "/echo", []byte(req))
				if err != nil || string(got) != req {
					t.Errorf("echo of %s: %s, %v", req, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestDeadlineAndCancellationReachTheHandler(t *testing.T) {
	is := is.New(t)
	s := &Server{}
	ends := make(chan error, 2)
	deadlines := make(chan bool, 2)
	s.HandleFunc("/wait", func(ctx context.Context, _ *Call) ([]byte, error) {
		_, ok := ctx.Deadline()
		deadlines <- ok
		<-ctx.Done()
		ends <- ctx.Err()
		return nil, ctx.Err()
	})
	cl := connect(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := cl.Call(ctx, "/wait", nil)
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.True(<-deadlines) // the handler knew its deadline
	is.True(<-ends != nil)

	ctx, cancel = context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := cl.Call(ctx, "/wait", nil); done <- err }()
	is.True(!<-deadlines)
	cancel()
	is.True(errors.Is(<-done, context.Canceled))
	is.Equal(<-ends, context.Canceled)
}

func TestNotify(t *testing.T) {
	is := is.New(t)
	s := &Server{}
	got := make(chan string, 1)
	s.HandleFunc("/tell", func(_ context.Context, c *Call) ([]byte, error) {
		got <- fmt.Sprint(c.OneWay(), string(c.Data))
		return nil, errors.New("nobody hears this")
	})
	s.HandleFunc("/echo", func(_ context.Context, c *Call) ([]byte, error) { return c.Data, nil })
	cl := connect(t, s)
	is.NoErr(cl.Notify(soon(t), "/tell", []byte(" news")))
	is.Equal(<-got, "true news")
	is.NoErr(cl.Notify(soon(t), "/no such method", nil))
	_, err := cl.Call(soon(t), "/echo", nil) // neither left anything behind
	is.NoErr(err)
}

func TestStreams(t *testing.T) {
	is := is.New(t)
	cl := connect(t, testServer())
	st, err := cl.Stream(soon(t), "/upper", nil)
	is.NoErr(err)
	defer st.Close()
	const n = 3000 // far more than a window holds
	go func() {
		for i := range n {
			if err := st.Send(soon(t), fmt.Appendf(nil, "message %d %s", i, strings.Repeat("x", i%700))); err != nil {
				t.Error(err)
			}
		}
		if err := st.CloseSend(soon(t)); err != nil {
			t.Error(err)
		}
	}()
	for i := range n {
		m, err := st.Recv(soon(t))
		is.NoErr(err)
		is.True(strings.HasPrefix(string(m.Data), fmt.Sprintf("MESSAGE %d ", i)))
	}
	for range 2 {
		_, err = st.Recv(soon(t))
		is.Equal(err, io.EOF)
	}
	is.Equal(string(st.Reply().Data), fmt.Sprintf("%d messages", n))
	is.Equal(st.Send(soon(t), nil), io.EOF)
}

func TestSlowStreamBlocksOnlyItself(t *testing.T) {
	is := is.New(t)
	cl := connect(t, testServer())
	slow, err := cl.Stream(soon(t), "/flood", nil)
	is.NoErr(err)
	defer slow.Close()
	_, err = slow.Recv(soon(t)) // it flows; from here on nobody takes
	is.NoErr(err)
	held := func() (n int) {
		slow.in.mu.Lock()
		defer slow.in.mu.Unlock()
		return initialWindow - slow.in.window
	}
	eventually(t, "the window is full", func() bool { return held() >= initialWindow })
	for range 100 {
		_, err := cl.Call(soon(t), "/echo", []byte("past it"))
		is.NoErr(err)
	}
	is.True(held() <= initialWindow+cost(1000, 0)) // one message beyond, no more
	for range 2000 {
		_, err := slow.Recv(soon(t)) // and it goes on
		is.NoErr(err)
	}
}

func TestStreamsThatEndEarly(t *testing.T) {
	cl := connect(t, testServer())
	t.Run("closed by the caller", func(t *testing.T) {
		is := is.New(t)
		st, err := cl.Stream(soon(t), "/flood", nil)
		is.NoErr(err)
		_, err = st.Recv(soon(t))
		is.NoErr(err)
		is.NoErr(st.Close())
		_, err = st.Recv(soon(t))
		is.True(errors.Is(err, context.Canceled))
	})
	t.Run("context ends", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithCancel(t.Context())
		st, err := cl.Stream(ctx, "/wait", nil)
		is.NoErr(err)
		defer st.Close()
		cancel()
		_, err = st.Recv(soon(t))
		is.True(errors.Is(err, context.Canceled))
	})
	t.Run("handler fails", func(t *testing.T) {
		is := is.New(t)
		st, err := cl.Stream(soon(t), "/code", nil)
		is.NoErr(err)
		defer st.Close()
		_, err = st.Recv(soon(t))
		var e *Error
		is.True(errors.As(err, &e))
		is.Equal(e.Code, Code(1234))
	})
	t.Run("handler takes nothing", func(t *testing.T) {
		is := is.New(t)
		st, err := cl.Stream(soon(t), "/wait", nil)
		is.NoErr(err)
		defer st.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		for err == nil {
			err = st.Send(ctx, make([]byte, 10_000))
		}
		is.True(errors.Is(err, context.DeadlineExceeded))
	})
}

func TestFilesWithCalls(t *testing.T) {
	is := is.New(t)
	s := &Server{}
	s.HandleFunc("/swap", func(_ context.Context, c *Call) ([]byte, error) {
		if len(c.Files) != 1 {
			return nil, Errorf(CodeInvalid, "%d files", len(c.Files))
		}
		fmt.Fprint(c.Files[0], "from the handler")
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		fmt.Fprint(w, "behind the reply")
		w.Close()
		c.ReplyFiles = append(c.ReplyFiles, r)
		return []byte("swapped"), nil
	})
	cl := connect(t, s)
	r, w, err := os.Pipe()
	is.NoErr(err)
	defer r.Close()
	reply, err := cl.Do(soon(t), &Request{Method: "/swap", Files: []*os.File{w}})
	is.NoErr(err)
	w.Close()
	defer reply.Close()
	is.Equal(string(reply.Data), "swapped")
	got, err := io.ReadAll(r) // ends: the handler's copy was closed for it
	is.NoErr(err)
	is.Equal(string(got), "from the handler")
	is.Equal(len(reply.Files), 1)
	got, err = io.ReadAll(reply.Files[0])
	is.NoErr(err)
	is.Equal(string(got), "behind the reply")
}

func TestPolicyPerMethod(t *testing.T) {
	is := is.New(t)
	p, err := acl.Parse("test", fmt.Appendf(nil, "allow uid:%d call rpc:/echo\n", os.Geteuid()))
	is.NoErr(err)
	s := testServer()
	s.Policy = p
	refused := make(chan error, 2)
	s.Refused = func(who acl.Subject, err error) {
		if who.UID != uint32(os.Geteuid()) {
			err = fmt.Errorf("refused %v", who)
		}
		refused <- err
	}
	cl := connect(t, s)
	_, err = cl.Call(soon(t), "/echo", nil)
	is.NoErr(err)
	_, err = cl.Call(soon(t), "/who", nil)
	is.True(errors.Is(err, os.ErrPermission))
	err = <-refused
	is.True(errors.Is(err, os.ErrPermission))
	is.True(strings.Contains(err.Error(), "rpc:/who"))
	is.Equal(len(refused), 0)
}

// The policy is asked about each call: one that has changed, on the same connection.
func TestPolicyThatChanges(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "policy")
	write := func(effect string) {
		is.NoErr(os.WriteFile(file+".new", fmt.Appendf(nil, "%s uid:%d call rpc:/echo\n", effect, os.Geteuid()), 0o600))
		is.NoErr(os.Rename(file+".new", file))
	}
	write("allow")
	rules, err := acl.Watch(file, nil)
	is.NoErr(err)
	defer rules.Close()
	s := testServer()
	s.Policy = rules
	cl := connect(t, s)
	_, err = cl.Call(soon(t), "/echo", nil)
	is.NoErr(err)
	write("deny")
	is.NoErr(rules.Reload())
	_, err = cl.Call(soon(t), "/echo", nil)
	is.True(errors.Is(err, os.ErrPermission))
}

func TestTooManyCalls(t *testing.T) {
	is := is.New(t)
	s := testServer()
	s.MaxCalls = 2
	begun := make(chan bool)
	s.HandleFunc("/hold", func(ctx context.Context, _ *Call) ([]byte, error) {
		begun <- true
		<-ctx.Done()
		return nil, ctx.Err()
	})
	cl := connect(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	for range 2 {
		go func() { _, err := cl.Call(ctx, "/hold", nil); done <- err }()
		<-begun
	}
	_, err := cl.Call(soon(t), "/echo", nil)
	var e *Error
	is.True(errors.As(err, &e))
	is.Equal(e.Code, CodeBusy)
	cancel()
	<-done
	<-done
	eventually(t, "the server is free", func() bool {
		_, err := cl.Call(soon(t), "/echo", nil)
		return err == nil
	})
}

func TestShutdownDrains(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := socket.Listen(path, nil)
	is.NoErr(err)
	s := &Server{}
	begun, proceed := make(chan bool), make(chan bool)
	s.HandleFunc("/slow", func(context.Context, *Call) ([]byte, error) {
		begun <- true
		<-proceed
		return []byte("finished"), nil
	})
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	cl := Dial(path, nil)
	defer cl.Close()
	type answer struct {
		data []byte
		err  error
	}
	slow := make(chan answer)
	go func() {
		data, err := cl.Call(soon(t), "/slow", nil)
		slow <- answer{data, err}
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	down := make(chan error)
	go func() { down <- s.Shutdown(soon(t)) }()
	is.True(errors.Is(<-served, ErrClosed))
	_, err = cl.Call(ctx, "/slow", nil) // no new calls, here or on a new connection
	is.True(err != nil)
	close(proceed)
	a := <-slow
	is.NoErr(a.err)
	is.Equal(string(a.data), "finished")
	is.NoErr(<-down)
	_, err = os.Lstat(path)
	is.True(errors.Is(err, os.ErrNotExist))
}

func TestShutdownThatCannotWait(t *testing.T) {
	is := is.New(t)
	a, b, err := socket.Pair()
	is.NoErr(err)
	s := testServer()
	go s.ServeConn(b)
	cl := NewClient(a)
	defer cl.Close()
	lost := make(chan error)
	go func() { _, err := cl.Call(soon(t), "/wait", nil); lost <- err }()
	eventually(t, "the call runs", func() bool { return cl.link.wire.active.Load() == 1 })
	_, err = cl.Call(soon(t), "/echo", nil)
	is.NoErr(err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	is.True(errors.Is(s.Shutdown(ctx), context.DeadlineExceeded))
	is.True(<-lost != nil)
}

func TestClientReconnects(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	var mu sync.Mutex
	var states []string
	cl := Dial(path, &ClientOptions{MinBackoff: time.Millisecond, OnState: func(s State, _ error) {
		mu.Lock()
		defer mu.Unlock()
		states = append(states, s.String())
	}})
	defer cl.Close()
	_, err := cl.Call(soon(t), "/echo", nil)
	is.True(errors.Is(err, ErrConnection))
	is.True(errors.Is(err, os.ErrNotExist)) // and why

	var calls atomic.Int32
	start := func() (*Server, chan error) {
		l, err := socket.Listen(path, nil)
		is.NoErr(err)
		s := testServer()
		s.HandleFunc("/die once", func(_ context.Context, c *Call) ([]byte, error) {
			if calls.Add(1)%2 == 1 {
				c.x.wire.c.Close() // as if the process had been killed
			}
			return []byte("alive"), nil
		})
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		return s, served
	}
	s, served := start()
	_, err = cl.Call(soon(t), "/echo", nil)
	is.NoErr(err)

	_, err = cl.Call(soon(t), "/die once", nil) // perhaps carried out: the caller must know
	is.True(errors.Is(err, ErrConnection))
	is.Equal(calls.Load(), int32(1))
	calls.Store(0)
	r, err := cl.Do(soon(t), &Request{Method: "/die once", Idempotent: true})
	is.NoErr(err)
	is.Equal(string(r.Data), "alive")
	is.Equal(calls.Load(), int32(2))

	// A server that shuts down is followed by another: a refused call is made
	// again there although nothing says that it is idempotent.
	is.NoErr(s.Shutdown(soon(t)))
	<-served
	s, served = start()
	eventually(t, "the new server answers", func() bool {
		_, err := cl.Call(soon(t), "/echo", nil)
		return err == nil
	})
	is.NoErr(cl.Close())
	_, err = cl.Call(soon(t), "/echo", nil)
	is.True(errors.Is(err, os.ErrClosed))
	is.NoErr(s.Shutdown(soon(t)))
	<-served
	mu.Lock()
	defer mu.Unlock()
	is.Equal(states[:4], []string{"connecting", "down", "connecting", "ready"})
	is.Equal(states[len(states)-1], "closed")
}

func TestLostConnectionEndsEverything(t *testing.T) {
	is := is.New(t)
	a, b, err := socket.Pair()
	is.NoErr(err)
	s := &Server{}
	ended := make(chan error, 1)
	begun := make(chan bool)
	s.HandleFunc("/wait", func(ctx context.Context, _ *Call) ([]byte, error) {
		begun <- true
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, nil
	})
	go s.ServeConn(b)
	cl := NewClient(a)
	lost := make(chan error)
	go func() { _, err := cl.Call(context.Background(), "/wait", nil); lost <- err }()
	<-begun
	a.Close()
	is.True(errors.Is(<-lost, ErrConnection))
	is.Equal(<-ended, context.Canceled)
	_, err = cl.Call(soon(t), "/wait", nil)
	is.True(errors.Is(err, ErrConnection))
	is.NoErr(cl.Close())
	is.NoErr(s.Shutdown(soon(t)))
}

// A peer that breaks the protocol loses its connection, and only that.
func TestProtocolViolations(t *testing.T) {
	call := func(id uint32, flags uint8) []byte { return appendCall(nil, id, flags, 0, "/wait") }
	for name, frames := range map[string][][]byte{
		"empty":              {{}},
		"unknown kind":       {header{kind: 99}.append(nil)},
		"reply from caller":  {call(1, 0), header{kind: kindEnd, id: 1}.append(nil)},
		"twice":              {call(1, 0), call(1, 0)},
		"no method":          {header{kind: kindCall}.append(nil)},
		"method beyond end":  {header{kind: kindCall, aux: 50}.append(nil)},
		"data without":       {call(1, 0), header{kind: kindData, id: 1}.append(nil)},
		"credit too large":   {call(1, flagTakes), appendCredit(nil, 1, initialWindow)},
		"credit malformed":   {call(1, flagTakes), header{kind: kindCredit, id: 1}.append(nil)},
		"beyond its window":  append([][]byte{call(1, flagSends)}, floodFrames()...),
		"data after the end": {call(1, flagSends), header{kind: kindData, flags: flagLast, id: 1}.append(nil), header{kind: kindData, id: 1}.append(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := testServer()
			a, b, err := socket.Pair()
			is.NoErr(err)
			defer a.Close()
			go s.ServeConn(b)
			for _, f := range frames {
				if err := a.Send(soon(t), f); err != nil {
					is.True(errors.Is(err, socket.ErrPeerClosed))
				}
			}
			for err == nil {
				_, err = a.Recv(soon(t))
			}
			is.True(err == io.EOF || errors.Is(err, socket.ErrPeerClosed))
			is.NoErr(s.Shutdown(soon(t)))
		})
	}
}

func floodFrames() (frames [][]byte) {
	for range 10 {
		frames = append(frames, append(header{kind: kindData, id: 1}.append(nil), make([]byte, initialWindow/8)...))
	}
	return frames
}

func TestTyped(t *testing.T) {
	is := is.New(t)
	type sum struct{ A, B int }
	s := &Server{}
	s.Handle("/add", Typed(JSON{}, func(_ context.Context, _ *Call, r sum) (int, error) { return r.A + r.B, nil }))
	cl := connect(t, s)
	n, err := Invoke[int](soon(t), cl, JSON{}, "/add", sum{40, 2})
	is.NoErr(err)
	is.Equal(n, 42)
	_, err = cl.Call(soon(t), "/add", []byte("{"))
	var e *Error
	is.True(errors.As(err, &e))
	is.Equal(e.Code, CodeInvalid)
}

func TestHandlePanicsOnNonsense(t *testing.T) {
	s := testServer()
	for _, name := range []string{"", "/echo", strings.Repeat("x", MaxMethodLen+1)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Handle(%.20q) did not panic", name)
				}
			}()
			s.HandleFunc(name, func(context.Context, *Call) ([]byte, error) { return nil, nil })
		}()
	}
	defer func() {
		if recover() == nil {
			t.Error("HandleFunc did not panic without a function")
		}
	}()
	s.HandleFunc("/nil", nil)
}

func TestAllocationsPerCall(t *testing.T) {
	if looksAllocate {
		t.Skip("here a call allocates as often as it looks for its reply")
	}
	cl := connect(t, testServer())
	ctx := context.Background()
	for name, req := range map[string]*Request{
		"without a deadline":        {Method: "/echo", Data: make([]byte, 64)},
		"with a timeout of its own": {Method: "/echo", Data: make([]byte, 64), Timeout: watchdog},
	} {
		t.Run(name, func(t *testing.T) {
			call := func() {
				if _, err := cl.Do(ctx, req); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 {
				call()
			}
			// Client and server are both in this process, and each may have two.
			if n := testing.AllocsPerRun(500, call); n > 4 {
				t.Fatalf("%v allocations per call on both sides, want no more than 4", n)
			} else {
				t.Logf("%v allocations per call on both sides", n)
			}
		})
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(append(appendCall(nil, 1, 0, time.Second, "/echo"), "x"...), []byte{})
	f.Add(appendCall(nil, 1, flagSends|flagTakes, 0, "/upper"), append(header{kind: kindData, id: 1}.append(nil), "x"...))
	f.Add(header{kind: kindGoAway}.append(nil), appendCredit(nil, 1, 5))
	f.Add(header{kindEnd, 0, 5, 1}.append(nil), header{kind: kindCancel, id: 1}.append(nil))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		a, b, err := socket.Pair()
		if err != nil {
			t.Fatal(err)
		}
		s := testServer()
		done := make(chan struct{})
		go func() { s.ServeConn(b); close(done) }()
		ctx := context.Background()
		_ = a.Send(ctx, first)
		_ = a.Send(ctx, second)
		a.Close()
		<-done

		// The same frames from a server.
		a, b, err = socket.Pair()
		if err != nil {
			t.Fatal(err)
		}
		cl := NewClient(a)
		st, _ := cl.Stream(ctx, "/x", nil) // call 1
		_ = b.Send(ctx, first)
		_ = b.Send(ctx, second)
		b.Close()
		if st != nil {
			for err == nil {
				_, err = st.Recv(ctx)
			}
			st.Close()
		}
		cl.Close()
	})
}
