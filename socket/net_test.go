//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestHTTPSeesThePeer(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, nil)
	type peerKey struct{}
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Context().Value(peerKey{}))
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			peer, ok := PeerOf(c)
			return context.WithValue(ctx, peerKey{}, fmt.Sprintf("%v uid %d pid %d", ok, peer.UID, peer.PID))
		},
	}
	served := make(chan error)
	go func() { served <- srv.Serve(l.NetListener()) }()
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := Dial(ctx, path, nil)
			if err != nil {
				return nil, err
			}
			return c.NetConn(), nil
		},
	}}
	for range 3 {
		resp, err := client.Get("http://unix/")
		is.NoErr(err)
		body, err := io.ReadAll(resp.Body)
		is.NoErr(err)
		is.NoErr(resp.Body.Close())
		is.Equal(string(body), fmt.Sprintf("true uid %d pid %d", os.Geteuid(), os.Getpid()))
	}
	client.CloseIdleConnections()
	is.NoErr(srv.Shutdown(soon(t)))
	is.Equal(<-served, http.ErrServerClosed)

	other, _ := net.Pipe()
	_, ok := PeerOf(other)
	is.True(!ok)
}

func TestNetConn(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	is.NoErr(a.Send(soon(t), []byte("message")))
	na, nb := a.NetConn(), b.NetConn()
	_, err := na.Write([]byte("bytes"))
	is.NoErr(err)
	got := make([]byte, 16)
	_, err = io.ReadFull(nb, got)
	is.NoErr(err)
	is.Equal(string(got), "\x00\x00\x00\x07messagebytes")

	is.NoErr(nb.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err = nb.Read(got)
	var nerr net.Error
	is.True(errors.As(err, &nerr))
	is.True(nerr.Timeout())
	is.NoErr(nb.SetReadDeadline(time.Time{}))

	is.NoErr(na.Close())
	_, err = nb.Read(got)
	is.Equal(err, io.EOF)
	_, err = nb.Write([]byte("x"))
	is.True(err != nil)
	is.NoErr(nb.Close())
	_, err = nb.Read(got)
	is.True(errors.Is(err, net.ErrClosed))
}

// A context of an earlier call, be it the handshake's, ends nothing any more,
// whether it ended before NetConn or ends after it.
func TestNetConnForgetsContexts(t *testing.T) {
	is := is.New(t)
	path, key := filepath.Join(t.TempDir(), "s"), []byte("k")
	l := listen(t, path, &ListenOptions{AuthKey: key})
	a, err := Dial(soon(t), path, &DialOptions{AuthKey: key})
	is.NoErr(err)
	defer a.Close()
	b, err := l.Accept(soon(t))
	is.NoErr(err)
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 { // one that comes twice is kept
		received := make(chan error, 1)
		go func() {
			_, err := b.Recv(ctx)
			received <- err
		}()
		eventually(t, "Recv waits", func() bool { return watches(&b.in.gate, ctx) })
		is.NoErr(a.Send(soon(t), []byte("x")))
		is.NoErr(<-received)
	}
	is.True(watches(&b.in.gate, ctx))

	ended := make(chan struct{})
	context.AfterFunc(ctx, func() { close(ended) })
	nb := b.NetConn()
	cancel()
	<-ended
	is.True(!watches(&b.in.gate, ctx))
	read := make(chan error, 1)
	go func() {
		_, err := nb.Read(make([]byte, 1))
		read <- err
	}()
	_, err = a.NetConn().Write([]byte("y"))
	is.NoErr(err)
	is.NoErr(<-read)
}

// NetConn waits for nobody, also where messages of SendBuffered wait for room.
func TestNetConnDoesNotWait(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	if a.desc.Load().in != nil {
		t.Skip("a connection with bells waits for its turn to give them back")
	}
	raw, err := a.SyscallConn()
	is.NoErr(err)
	for err == nil { // until there is no room
		is.NoErr(raw.Control(func(fd uintptr) { _, err = sysSend(int(fd), []byte("x"), nil, nil) }))
	}
	is.Equal(err, syscall.EAGAIN)
	is.NoErr(a.SendBuffered(soon(t), []byte("x")))
	eventually(t, "the message waits for room", a.out.waiting.Load)
	made := make(chan net.Conn, 1)
	go func() { made <- a.NetConn() }()
	select {
	case <-made:
	case <-time.After(watchdog / 6):
		t.Error("NetConn waits for the peer to read")
		b.Close()
		<-made
	}
}

// watches reports whether the end of ctx would end a wait at the gate.
func watches(g *gate, ctx context.Context) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done != nil && g.done == ctx.Done()
}

// The deadline that a handshake has does not outlive it.
func TestNetConnAfterHandshake(t *testing.T) {
	is := is.New(t)
	path, key := filepath.Join(t.TempDir(), "s"), []byte("k")
	l := listen(t, path, &ListenOptions{AuthKey: key})
	for range 100 { // the end of a context comes when it likes
		a, err := Dial(soon(t), path, &DialOptions{AuthKey: key})
		is.NoErr(err)
		b, err := l.Accept(soon(t))
		is.NoErr(err)
		na, nb := a.NetConn(), b.NetConn()
		read := make(chan error, 1)
		go func() {
			_, err := nb.Read(make([]byte, 1))
			read <- err
		}()
		_, err = na.Write([]byte("x"))
		is.NoErr(err)
		is.NoErr(<-read)
		is.NoErr(na.Close())
		is.NoErr(nb.Close())
	}
}

func TestNetConnContinuesAfterMessages(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	is.NoErr(a.Send(soon(t), []byte("first")))
	_, err := a.NetConn().Write([]byte("the rest is bytes"))
	is.NoErr(err)
	m, err := b.Recv(soon(t)) // reads ahead
	is.NoErr(err)
	is.Equal(string(m.Data), "first")
	got := make([]byte, 17)
	_, err = io.ReadFull(b.NetConn(), got)
	is.NoErr(err)
	is.Equal(string(got), "the rest is bytes")
}
