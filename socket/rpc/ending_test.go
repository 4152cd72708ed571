//go:build unix

package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// badError is one that nobody can ask for its text.
type badError struct{}

func (*badError) Error() string { panic("no text") }

// Whatever a handler does to end, its caller hears of it, and the call is over.
func TestHandlersThatEndOddly(t *testing.T) {
	closed := func(t *testing.T) *os.File {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		return f
	}
	for name, test := range map[string]struct {
		handler HandlerFunc
		code    Code
		text    string
	}{
		"Goexit": {func(context.Context, *Call) ([]byte, error) {
			runtime.Goexit()
			return nil, nil
		}, CodePanic, "ended its goroutine"},
		"an error that panics": {func(context.Context, *Call) ([]byte, error) {
			return nil, (*badError)(nil)
		}, CodePanic, "panicked"},
		"a closed file": {func(_ context.Context, c *Call) ([]byte, error) {
			c.ReplyFiles = append(c.ReplyFiles, closed(t))
			return nil, nil
		}, CodeUnknown, "closed"},
		"a nil file": {func(_ context.Context, c *Call) ([]byte, error) {
			c.ReplyFiles = append(c.ReplyFiles, nil)
			return nil, nil
		}, CodeUnknown, "nil file"},
		"an error and a closed file": {func(_ context.Context, c *Call) ([]byte, error) {
			c.ReplyFiles = append(c.ReplyFiles, closed(t))
			return nil, Errorf(1234, "mine")
		}, 1234, "mine"},
		"an error of great length": {func(context.Context, *Call) ([]byte, error) {
			return nil, Errorf(1234, "mine%s", strings.Repeat(" ", socket.DefaultMaxMessage))
		}, 1234, "mine"},
	} {
		for _, quick := range []bool{false, true} { // then the reader runs it
			t.Run(fmt.Sprintf("%s, quick %v", name, quick), func(t *testing.T) {
				is := is.New(t)
				s := &Server{MaxCalls: 1}
				s.HandleFunc("/odd", test.handler)
				cl := connect(t, s)
				for range 3 { // the call has left its place
					if quick {
						(*s.methods.Load())["/odd"].pace.score.Store(paceMost)
					}
					_, err := cl.Call(soon(t), "/odd", nil)
					var e *Error
					is.True(errors.As(err, &e)) // and no deadline
					is.Equal(e.Code, test.code)
					is.True(strings.Contains(e.Text, test.text))
					eventually(t, "the call is over", func() bool { return countCalls(s) == 0 })
				}
			})
		}
	}
}

// A handler that was blocking, so that somebody else reads the session, and then ends its
// goroutine: the caller hears of that at once.
func TestGoexitAfterAWait(t *testing.T) {
	is := is.New(t)
	s := &Server{}
	begun, proceed := make(chan bool), make(chan bool)
	s.HandleFunc("/odd", func(context.Context, *Call) ([]byte, error) {
		begun <- true
		<-proceed
		runtime.Goexit()
		return nil, nil
	})
	s.HandleFunc("/echo", func(_ context.Context, c *Call) ([]byte, error) { return c.Data, nil })
	cl := connect(t, s)
	(*s.methods.Load())["/odd"].pace.score.Store(paceMost)
	ended := make(chan error)
	go func() { _, err := cl.Call(soon(t), "/odd", nil); ended <- err }()
	<-begun
	_, err := cl.Call(soon(t), "/echo", nil) // somebody else reads now
	is.NoErr(err)
	close(proceed)
	var e *Error
	is.True(errors.As(<-ended, &e))
	is.Equal(e.Code, CodePanic)
}

// A limit below the length of any text: still there is an end.
func TestErrorsBeneathASmallLimit(t *testing.T) {
	is := is.New(t)
	a, b, err := socket.Pair()
	is.NoErr(err)
	b.Configure(&socket.ConnOptions{MaxMessage: 40})
	s := &Server{}
	s.HandleFunc("/long", func(context.Context, *Call) ([]byte, error) { return make([]byte, 100), nil })
	go s.ServeConn(b)
	cl := NewClient(a)
	defer cl.Close()
	var e *Error
	_, err = cl.Call(soon(t), "/long", nil)
	is.True(errors.As(err, &e))
	_, err = cl.Call(soon(t), strings.Repeat("\x01", 20), nil) // its quotes take more than that
	is.True(errors.As(err, &e))
	is.Equal(e.Code, CodeNotFound)
	is.NoErr(s.Shutdown(soon(t)))
}

// A connection that the server gives up is closed at once, whatever its handlers do: calls
// beside them end.
func TestConnectionIsClosedBesideAHandler(t *testing.T) {
	is := is.New(t)
	s := &Server{}
	begun, proceed := make(chan bool), make(chan bool)
	s.HandleFunc("/hold", func(context.Context, *Call) ([]byte, error) {
		begun <- true
		<-proceed // and not the end of the context
		return nil, nil
	})
	a, b, err := socket.Pair()
	is.NoErr(err)
	defer a.Close()
	go s.ServeConn(b)
	is.NoErr(a.Send(soon(t), appendCall(nil, 1, 0, 0, "/hold")))
	<-begun
	is.NoErr(a.Send(soon(t), header{kind: 99}.append(nil)))
	_, err = a.Recv(soon(t))
	is.True(err == io.EOF || errors.Is(err, socket.ErrPeerClosed))
	close(proceed)
	is.NoErr(s.Shutdown(soon(t)))
}

// What a handler waits for in its stream ends with the call, whatever context it was given.
func TestHandlersStreamEndsWithTheCall(t *testing.T) {
	full := make([]byte, initialWindow)
	for name, wait := range map[string]func(c *Call) error{
		"Recv": func(c *Call) error {
			_, err := c.Recv(context.Background())
			return err
		},
		"Send": func(c *Call) (err error) {
			for err == nil {
				err = c.Send(context.Background(), full[:len(full)/2])
			}
			return err
		},
	} {
		for how, end := range map[string]struct {
			end  func(cl *Client, s *Stream, proceed chan bool)
			want error
		}{
			"closed":   {func(_ *Client, s *Stream, _ chan bool) { s.Close() }, context.Canceled},
			"lost":     {func(cl *Client, _ *Stream, _ chan bool) { cl.Close() }, ErrConnection},
			"returned": {func(_ *Client, _ *Stream, proceed chan bool) { close(proceed) }, os.ErrClosed},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				is := is.New(t)
				s := &Server{}
				begun, proceed, ended := make(chan bool), make(chan bool), make(chan error, 1)
				s.HandleFunc("/wait", func(ctx context.Context, c *Call) ([]byte, error) {
					go func() { ended <- wait(c) }()
					close(begun)
					select {
					case <-ctx.Done():
					case <-proceed:
					}
					return nil, nil
				})
				cl := connect(t, s)
				st, err := cl.Stream(soon(t), "/wait", nil)
				is.NoErr(err)
				defer st.Close()
				<-begun
				end.end(cl, st, proceed)
				select {
				case err := <-ended:
					// Or the connection says it first.
					is.True(errors.Is(err, end.want) || errors.Is(err, os.ErrClosed) || errors.Is(err, socket.ErrPeerClosed))
				case <-soon(t).Done():
					t.Fatal("it still waits")
				}
			})
		}
	}
}
