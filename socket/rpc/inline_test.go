//go:build unix

package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/frame"
	"github.com/ipcctl/ipc/socket/internal/cpu"
)

// quickly makes lone calls of a quick method until the server runs it on its
// reader's goroutine, and the client reads by itself.
func quickly(t *testing.T, cl *Client, method string) {
	t.Helper()
	for range 50 * paceQuick {
		if _, err := cl.Call(soon(t), method, []byte("quick")); err != nil {
			t.Fatal(err)
		}
	}
}

// moody returns a server whose method /moody is quick unless told to wait for
// its context, or to end its goroutine.
func moody() (s *Server, waiting chan struct{}) {
	s, waiting = testServer(), make(chan struct{}, 100)
	s.HandleFunc("/moody", func(ctx context.Context, c *Call) ([]byte, error) {
		switch string(c.Data) {
		case "wait":
			waiting <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		case "exit":
			runtime.Goexit()
		}
		return c.Data, nil
	})
	return s, waiting
}

// A method that was quick a thousand times may wait the next time: other calls
// go on, and a cancellation reaches it.
func TestQuickMethodThatWaits(t *testing.T) {
	is := is.New(t)
	s, waiting := moody()
	cl := connect(t, s)
	for range 5 {
		quickly(t, cl, "/moody")
		(*s.methods.Load())["/moody"].pace.score.Store(paceMost)
		ctx, cancel := context.WithCancel(soon(t))
		failed := make(chan error, 1)
		go func() {
			_, err := cl.Call(ctx, "/moody", []byte("wait"))
			failed <- err
		}()
		<-waiting
		got, err := cl.Call(soon(t), "/echo", []byte("others"))
		is.NoErr(err)
		is.Equal(string(got), "others")
		cancel()
		is.True(errors.Is(<-failed, context.Canceled))
	}
	eventually(t, "all handlers end", func() bool { return countCalls(s) == 0 })
}

func countCalls(s *Server) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := range s.sessions {
		x.mu.Lock()
		n += len(x.calls)
		x.mu.Unlock()
	}
	return n
}

// Replies that are ready do not wait for a handler that is behind them.
func TestRepliesPassAHandlerThatWaits(t *testing.T) {
	is := is.New(t)
	s, waiting := moody()
	cl := connect(t, s)
	quickly(t, cl, "/moody")
	a, b, err := socket.Pair()
	is.NoErr(err)
	defer a.Close()
	go s.ServeConn(b)
	var batch []byte
	for id, data := range []string{"quick", "quick", "wait", "quick"} {
		batch = frame.Append(batch, append(appendCall(nil, uint32(id), 0, 0, "/moody"), data...))
	}
	_, err = a.SendFrames(soon(t), batch) // one read gets them all
	is.NoErr(err)
	<-waiting
	seen := map[uint32]bool{}
	for range 3 {
		m, err := a.Recv(soon(t))
		is.NoErr(err)
		seen[binary.BigEndian.Uint32(m.Data[4:])] = true
	}
	is.Equal(seen, map[uint32]bool{0: true, 1: true, 3: true})
}

func TestQuickMethodThatEndsItsGoroutine(t *testing.T) {
	is := is.New(t)
	s, _ := moody()
	cl := connect(t, s)
	for range 5 {
		quickly(t, cl, "/moody")
		is.NoErr(cl.Notify(soon(t), "/moody", []byte("exit")))
		_, err := cl.Call(soon(t), "/echo", nil)
		is.NoErr(err)
	}
}

// A client that asks and does not read what it is told holds up nobody, and
// gets all of it in the end.
func TestClientThatDoesNotRead(t *testing.T) {
	is := is.New(t)
	s := testServer()
	cl := connect(t, s)
	quickly(t, cl, "/echo")
	a, b, err := socket.Pair()
	is.NoErr(err)
	defer a.Close()
	go s.ServeConn(b)
	before := runtime.NumGoroutine()
	const n, size = 400, 10_000 // ten times what the kernel buffers
	sent := sendCalls(t, a, n, size)
	for range 100 {
		_, err := cl.Call(soon(t), "/echo", nil)
		is.NoErr(err)
	}
	is.True(runtime.NumGoroutine() < before+n) // not one for each reply
	for range n {
		m, err := a.Recv(soon(t))
		is.NoErr(err)
		is.Equal(len(m.Data), headerLen+size)
	}
	is.NoErr(<-sent)
}

// sendCalls makes n calls of size bytes on c, without waiting for replies, and
// tells how that ended.
func sendCalls(t *testing.T, c *socket.Conn, n uint32, size int) <-chan error {
	sent := make(chan error, 1)
	go func() {
		for id := range n {
			if err := c.Send(soon(t), append(appendCall(nil, id, 0, 0, "/echo"), make([]byte, size)...)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	return sent
}

// Nor can it make the server keep more replies than calls are allowed.
func TestRepliesThatNobodyReadsAreLimited(t *testing.T) {
	is := is.New(t)
	s := testServer()
	s.MaxCalls = 4
	a, b, err := socket.Pair()
	is.NoErr(err)
	defer a.Close()
	go s.ServeConn(b)
	before := runtime.NumGoroutine()
	const n, size = 200, 20_000
	sent := sendCalls(t, a, n, size)
	is.NoErr(<-sent) // refusals are short, so all calls find room
	is.True(runtime.NumGoroutine() <= before+2*s.MaxCalls+5)
	for range n {
		m, err := a.Recv(soon(t))
		is.NoErr(err)
		h, payload, err := parseHeader(m.Data)
		is.NoErr(err)
		is.True(Code(h.aux) == CodeOK && len(payload) == size || Code(h.aux) == CodeBusy)
	}
}

// Whoever reads for the client, alone or in company, everybody gets his reply.
func TestCallersTakeTurnsReading(t *testing.T) {
	s, _ := moody()
	cl := connect(t, s)
	for round := range 20 {
		quickly(t, cl, "/echo") // callers read
		var wg sync.WaitGroup
		for i := range 1 + round%5 {
			wg.Go(func() {
				for k := range 20 {
					want := string(rune('a'+i)) + string(rune('a'+k))
					got, err := cl.Call(soon(t), "/echo", []byte(want))
					if err != nil || string(got) != want {
						t.Errorf("got %q and %v instead of %q", got, err, want)
					}
				}
			})
		}
		wg.Go(func() { // one that gives up, perhaps while it reads for others
			ctx, cancel := context.WithTimeout(soon(t), 1)
			defer cancel()
			_, err := cl.Call(ctx, "/wait", nil)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		wg.Go(func() { // a stream needs a reader of its own
			st, err := cl.Stream(soon(t), "/upper", nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer st.Close()
			if err := st.Send(soon(t), []byte("x")); err != nil {
				t.Error(err)
			}
			if m, err := st.Recv(soon(t)); err != nil || string(m.Data) != "X" {
				t.Errorf("%q, %v", m.Data, err)
			}
		})
		wg.Wait()
	}
	eventually(t, "all handlers end", func() bool { return countCalls(s) == 0 })
}

// A caller that reads notices the end of its own context.
func TestReadingCallerGivesUp(t *testing.T) {
	is := is.New(t)
	s, waiting := moody()
	cl := connect(t, s)
	for range 20 {
		quickly(t, cl, "/echo")
		ctx, cancel := context.WithCancel(soon(t))
		go func() {
			<-waiting
			cancel()
		}()
		_, err := cl.Call(ctx, "/moody", []byte("wait"))
		is.True(errors.Is(err, context.Canceled))
	}
}

// Nobody calls and nobody reads: the end of the connection is noticed still.
func TestIdleClientNoticesTheEnd(t *testing.T) {
	is := is.New(t)
	down := make(chan error, 10)
	a, b, err := socket.Pair()
	is.NoErr(err)
	s := testServer()
	go s.ServeConn(b)
	cl := newClient(&ClientOptions{OnState: func(st State, err error) {
		if st == Down {
			down <- err
		}
	}})
	cl.newLink(a)
	defer cl.Close()
	quickly(t, cl, "/echo")
	is.NoErr(s.Shutdown(soon(t)))
	select {
	case err := <-down:
		is.True(errors.Is(err, ErrConnection))
	case <-soon(t).Done():
		t.Fatal("the connection ended, and the idle client did not notice")
	}
}

// How long it takes to send a reply does not count against the handler.
func TestLongRepliesOfQuickMethods(t *testing.T) {
	is := is.New(t)
	a, b, err := socket.Pair()
	is.NoErr(err)
	b.Configure(&socket.ConnOptions{WriteBuffer: 64 << 10})
	defer a.Close()
	defer b.Close()
	x := &session{s: new(Server), ctx: soon(t)}
	x.wire.init(b, nil)
	ended := make(chan time.Time, 1)
	reply := make([]byte, 1<<20-headerLen) // more than the kernel holds of it
	m := &method{handler: HandlerFunc(func(context.Context, *Call) ([]byte, error) {
		defer func() { ended <- time.Now() }()
		return reply, nil
	})}
	eventually(t, "a quick run", func() bool { // unless its CPU was taken away
		received := make(chan error, 1)
		go func() {
			for at := <-ended; time.Since(at) < quickLimit; {
			}
			_, err := a.Recv(soon(t))
			received <- err
		}()
		x.running.Add(1)
		x.wire.active.Add(1)
		call := &Call{x: x, method: m, reader: &run{now: cpu.Clock()}}
		call.start(0)
		call.run()
		is.NoErr(<-received)
		return m.pace.score.Load() > 0
	})
}

// Nor does a peer that does not read the reply: the session is read on by somebody else
// meanwhile, and the method is as quick as before, for all.
func TestPeerThatDoesNotReadTheReply(t *testing.T) {
	is := is.New(t)
	a, b, err := socket.Pair()
	is.NoErr(err)
	b.Configure(&socket.ConnOptions{WriteBuffer: 64 << 10})
	s := testServer()
	reply := make([]byte, 1<<20-headerLen) // more than the kernel holds of it
	s.HandleFunc("/long", func(context.Context, *Call) ([]byte, error) { return reply, nil })
	go s.ServeConn(b)
	defer s.Shutdown(soon(t))
	defer a.Close()
	m := (*s.methods.Load())["/long"]
	m.pace.score.Store(paceMost)
	is.NoErr(a.Send(soon(t), appendCall(nil, 1, 0, 0, "/long")))
	var x *session
	eventually(t, "the session is passed on", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for x = range s.sessions {
			at := x.stage.at.Load()
			return at > 0 && at%2 == 0 && x.wire.busy()
		}
		return false
	})
	_, err = a.Recv(soon(t))
	is.NoErr(err)
	eventually(t, "the call ends", func() bool { return x.wire.active.Load() == 0 })
	is.NoErr(a.Send(soon(t), appendCall(nil, 2, 0, 0, "/long")))
	_, err = a.Recv(soon(t)) // read by the second reader
	is.NoErr(err)
	is.True(m.pace.score.Load() > 0)
}

// A panic is part of what the handler takes, and so is what it logs.
func TestPanicsAreNotQuick(t *testing.T) {
	is := is.New(t)
	x := &session{s: &Server{Logger: slog.New(slowLog{})}, ctx: soon(t)}
	m := &method{handler: HandlerFunc(func(context.Context, *Call) ([]byte, error) { panic("ouch") })}
	m.pace.score.Store(paceMost)
	call := &Call{x: x, method: m, reader: &run{now: cpu.Clock()}}
	call.start(0)
	_, err := call.serve()
	is.True(err != nil)
	is.Equal(m.pace.score.Load(), int32(paceMost-paceSlow))
	is.True(call.reader.took >= quickLimit)
}

// slowLog takes longer than a quick handler may.
type slowLog struct{ slog.Handler }

func (slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (slowLog) Handle(context.Context, slog.Record) error {
	for begin := time.Now(); time.Since(begin) <= quickLimit; {
	}
	return nil
}
