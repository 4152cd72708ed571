//go:build unix && (!linux || ipcportable)

package socket

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// sentPipe sends the write end of a pipe from a, and has b receive and close
// it. No copy is left but what a holds.
func sentPipe(t *testing.T, a, b *Conn) (r *os.File) {
	t.Helper()
	is := is.New(t)
	r, w, err := os.Pipe()
	is.NoErr(err)
	t.Cleanup(func() { r.Close() })
	is.NoErr(a.Send(soon(t), []byte("a pipe"), w))
	is.NoErr(w.Close())
	m, err := b.Recv(soon(t))
	is.NoErr(err)
	is.Equal(len(m.Files), 1)
	is.NoErr(m.Files[0].Close())
	return r
}

// open reports whether somebody may still write to the pipe that r reads.
func open(t *testing.T, r *os.File) bool {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(r.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n == 0
}

// A descriptor that was sent stays open here until the peer has answered, or
// the connection is closed, or many newer ones were sent.
func TestSentDescriptorsAreHeld(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	first := sentPipe(t, a, b)
	second := sentPipe(t, a, b)
	is.True(open(t, first) && open(t, second))
	is.NoErr(b.Send(soon(t), []byte("got them")))
	_, err := a.Recv(soon(t))
	is.NoErr(err)
	_, err = first.Read(make([]byte, 1))
	is.Equal(err, io.EOF)
	is.True(!open(t, second))

	oldest := sentPipe(t, a, b)
	for range maxHeld - 1 {
		sentPipe(t, a, b).Close()
	}
	is.True(open(t, oldest))
	newest := sentPipe(t, a, b)
	is.True(!open(t, oldest))
	is.True(open(t, newest))
	is.NoErr(a.Close())
	is.True(!open(t, newest))
}

// SendHandle waits for its receiver's acknowledgement, and takes no other.
func TestHandleIsAcknowledged(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	done := make(chan error, 1)
	go func() { done <- a.SendHandle(soon(t), os.Stdin) }()
	f, err := b.RecvHandle(soon(t))
	is.NoErr(err)
	is.NoErr(f.Close())
	is.NoErr(<-done)

	go func() { done <- a.SendHandle(soon(t), os.Stdin) }()
	_, files, err := b.in.raw(soon(t))
	is.NoErr(err)
	closeFiles(files)
	is.NoErr(b.out.raw(soon(t), []byte{'B'}, nil))
	is.True(errors.Is(<-done, os.ErrInvalid))

	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- a.SendHandle(ctx, os.Stdin) }()
	_, files, err = b.in.raw(soon(t)) // it was sent, and goes unacknowledged
	is.NoErr(err)
	closeFiles(files)
	select {
	case err := <-done:
		t.Fatal("not waited for:", err)
	default:
	}
	cancel()
	is.True(errors.Is(<-done, context.Canceled))
}
