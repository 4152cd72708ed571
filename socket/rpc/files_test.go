//go:build unix

package rpc

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

func devNull(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Files take of a stream's window: else one stream that nobody takes could have the
// receiver hold as many as it has messages without bytes, 16,384 times 16.
func TestFilesOfAStreamAreLimited(t *testing.T) {
	f := devNull(t)
	t.Run("hostile", func(t *testing.T) {
		is := is.New(t)
		s := testServer()
		a, b, err := socket.Pair()
		is.NoErr(err)
		defer a.Close()
		go s.ServeConn(b)
		is.NoErr(a.Send(soon(t), appendCall(nil, 1, flagSends, 0, "/wait")))
		for range 2 * initialWindow / fileCost {
			if err = a.Send(soon(t), header{kind: kindData, id: 1}.append(nil), f); err != nil {
				break
			}
		}
		if err == nil {
			_, err = a.Recv(soon(t))
		}
		is.True(err == io.EOF || errors.Is(err, socket.ErrPeerClosed))
		is.NoErr(s.Shutdown(soon(t)))
	})
	t.Run("honest", func(t *testing.T) {
		is := is.New(t)
		s := &Server{}
		s.HandleFunc("/files", func(ctx context.Context, c *Call) ([]byte, error) { // back and forth
			for {
				m, err := c.Recv(ctx)
				if err == io.EOF {
					return nil, nil
				}
				if err != nil {
					return nil, err
				}
				err = c.Send(ctx, m.Data, m.Files...)
				m.Close()
				if err != nil {
					return nil, err
				}
			}
		})
		cl := connect(t, s)
		st, err := cl.Stream(soon(t), "/files", nil)
		is.NoErr(err)
		defer st.Close()
		const n = 5 * initialWindow / fileCost
		go func() {
			for range n {
				if err := st.Send(soon(t), nil, f); err != nil {
					t.Error(err)
				}
			}
			if err := st.CloseSend(soon(t)); err != nil {
				t.Error(err)
			}
		}()
		for range n {
			m, err := st.Recv(soon(t))
			is.NoErr(err)
			is.Equal(len(m.Files), 1)
			m.Close()
		}
		_, err = st.Recv(soon(t))
		is.Equal(err, io.EOF)
	})
}

// The files of a stream's reply that nobody asked for are closed with it, whether it has
// come before or comes just then.
func TestReplyFilesOfAStreamThatIsClosed(t *testing.T) {
	is := is.New(t)
	cl, _, _ := clientOf(t)
	for _, late := range []bool{false, true} {
		st, err := cl.Stream(soon(t), "/x", nil)
		is.NoErr(err)
		is.True(cl.link.leave(st.p)) // as the reader does it
		f := devNull(t)
		r := result{reply: Reply{Files: []*os.File{f}}}
		if late {
			is.NoErr(st.Close())
		}
		st.finish(r)
		is.NoErr(st.Close())
		_, err = f.Stat()
		is.True(errors.Is(err, os.ErrClosed))
	}

	st, err := cl.Stream(soon(t), "/x", nil)
	is.NoErr(err)
	is.True(cl.link.leave(st.p))
	f := devNull(t)
	st.finish(result{reply: Reply{Files: []*os.File{f}}})
	is.Equal(st.Reply().Files[0], f) // which makes it the caller's
	is.NoErr(st.Close())
	_, err = f.Stat()
	is.NoErr(err)
}

// A receiver that wants no files, from whom the system keeps them, still gives back what
// they took of the window, and so does a sender whom the system refuses to send them.
func TestFilesThatNobodyWants(t *testing.T) {
	is := is.New(t)
	s := testServer()
	a, b, err := socket.Pair()
	is.NoErr(err)
	b.Configure(&socket.ConnOptions{MaxFiles: -1})
	go s.ServeConn(b)
	cl := NewClient(a)
	defer cl.Close()
	st, err := cl.Stream(soon(t), "/upper", nil)
	is.NoErr(err)
	defer st.Close()
	f := devNull(t)
	for range 3 * initialWindow / fileCost {
		err := st.Send(soon(t), []byte("x"), f)
		if errors.Is(err, os.ErrPermission) { // where the system refuses them, they cost nothing
			err = st.Send(soon(t), []byte("x"))
		}
		is.NoErr(err)
		m, err := st.Recv(soon(t))
		is.NoErr(err)
		is.Equal(string(m.Data), "X")
	}
}

// A reply with files for a caller that wants none arrives without them, or is an error where
// the system refuses to send it, and not one that looks like the policy's.
func TestReplyFilesThatNobodyWants(t *testing.T) {
	is := is.New(t)
	s := &Server{}
	s.HandleFunc("/file", func(_ context.Context, c *Call) ([]byte, error) {
		f, err := os.Open(os.DevNull)
		c.ReplyFiles = append(c.ReplyFiles, f)
		return []byte("x"), err
	})
	a, b, err := socket.Pair()
	is.NoErr(err)
	a.Configure(&socket.ConnOptions{MaxFiles: -1})
	go s.ServeConn(b)
	cl := NewClient(a)
	defer cl.Close()
	data, err := cl.Call(soon(t), "/file", nil)
	var e *Error
	if errors.As(err, &e) {
		is.Equal(e.Code, CodeUnknown)
	} else {
		is.NoErr(err)
		is.Equal(string(data), "x")
	}
}
