//go:build unix

package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/socket/frame"
)

// numbered returns n files that hold their numbers, from first.
func numbered(t testing.TB, first, n int) []*os.File {
	t.Helper()
	var files []*os.File
	for i := range n {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, first+i)
		files = append(files, f)
		t.Cleanup(func() { f.Close() })
	}
	return files
}

func number(t testing.TB, f *os.File) (n int) {
	t.Helper()
	if _, err := fmt.Fscan(io.NewSectionReader(f, 0, 100), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Descriptors come with exactly the message they were sent with, whatever is
// sent around them and however it is read.
func TestDescriptorsKeepToTheirMessages(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	files := numbered(t, 0, 8)
	type sent struct {
		size  int
		first int
		n     int
	}
	var plan []sent
	for range 400 {
		s := sent{size: []int{0, 1, 60, 5000, 70_000}[rng.IntN(5)]}
		if rng.IntN(3) == 0 {
			s.n = 1 + rng.IntN(3)
			s.first = rng.IntN(len(files) - s.n)
		}
		plan = append(plan, s)
	}
	errs := make(chan error, 1)
	go func() {
		for i, s := range plan {
			msg := bytes.Repeat([]byte{byte(i)}, s.size)
			var err error
			if s.n == 0 && i%2 == 0 {
				err = a.SendBuffered(soon(t), msg)
			} else {
				err = a.Send(soon(t), msg, files[s.first:s.first+s.n]...)
			}
			if err != nil {
				errs <- err
				return
			}
		}
		errs <- a.CloseWrite(soon(t))
	}()
	for i, s := range plan {
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		is.True(bytes.Equal(m.Data, bytes.Repeat([]byte{byte(i)}, s.size)))
		if len(m.Files) != s.n {
			t.Fatalf("message %d of %d bytes came with %d files, sent with %d", i, s.size, len(m.Files), s.n)
		}
		for j, f := range m.Files {
			is.Equal(number(t, f), s.first+j)
			flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
			is.NoErr(err)
			is.True(flags&unix.FD_CLOEXEC != 0)
		}
		is.NoErr(m.Close())
	}
	_, err := b.Recv(soon(t))
	is.Equal(err, io.EOF)
	is.NoErr(<-errs)
}

// A peer that does not keep our rules can only confuse itself.
func TestDescriptorsInOddPlaces(t *testing.T) {
	files := numbered(t, 0, 1)
	send := func(t *testing.T, c *Conn, p []byte, fds int) {
		t.Helper()
		var oob []byte
		for range fds {
			oob = append(oob, sysRights([]int{int(files[0].Fd())})...)
		}
		_ = c.control(func(fd uintptr) {
			if _, err := sysSend(int(fd), p, nil, oob); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("inside the payload", func(t *testing.T) {
		is := is.New(t)
		a, b := pair(t, nil)
		send(t, a, []byte("\x00\x00\x00\x04ab"), 0)
		send(t, a, []byte("cd"), 1)
		send(t, a, frame.Append(nil, nil), 0)
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		is.Equal(len(m.Files), 1)
		is.NoErr(m.Close())
		m, err = b.Recv(soon(t))
		is.NoErr(err)
		is.Equal(len(m.Files), 0)
	})
	t.Run("with every byte of a message", func(t *testing.T) {
		is := is.New(t)
		a, b := pair(t, nil)
		send(t, a, []byte("\x00\x00\x10\x00"), 1)
		for range 2*DefaultMaxFiles + 1 {
			send(t, a, []byte("x"), 1)
		}
		_, err := b.Recv(soon(t))
		is.True(errors.Is(err, ErrTooManyFiles))
		_, err = b.Recv(soon(t))
		is.True(errors.Is(err, ErrTooManyFiles)) // final
	})
	t.Run("never claimed", func(t *testing.T) {
		is := is.New(t)
		a, b := pair(t, nil)
		send(t, a, []byte("\x00\x00\x00\x04ab"), 1)
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { _, err := b.Recv(ctx); gone <- err }()
		eventually(t, "the descriptor arrives", func() bool { return b.in.turn.state.Load() != 0 })
		cancel()
		is.True(errors.Is(<-gone, context.Canceled))
		is.NoErr(b.Close()) // the leak check of TestMain does the rest
	})
}

func TestFileLimits(t *testing.T) {
	t.Run("at the limit", func(t *testing.T) {
		for _, n := range []int{1, 2, 3, DefaultMaxFiles} {
			is := is.New(t)
			a, b := pair(t, &ConnOptions{MaxFiles: n})
			is.NoErr(a.Send(soon(t), nil, numbered(t, 7, n)...))
			m, err := b.Recv(soon(t))
			is.NoErr(err)
			is.Equal(len(m.Files), n)
			is.Equal(number(t, m.Files[n-1]), 7+n-1)
			is.NoErr(m.Close())
		}
	})
	t.Run("above it", func(t *testing.T) {
		for _, n := range []int{1, 2, 3} {
			is := is.New(t)
			a, b := pair(t, &ConnOptions{MaxFiles: n})
			is.NoErr(a.Send(soon(t), nil, numbered(t, 7, n+1)...))
			_, err := b.Recv(soon(t))
			is.True(errors.Is(err, ErrTooManyFiles))
		}
	})
	t.Run("as many as the kernel passes", func(t *testing.T) {
		is := is.New(t)
		a, b := pair(t, &ConnOptions{MaxFiles: MaxFiles})
		f := numbered(t, 3, 1)[0]
		many := make([]*os.File, MaxFiles)
		for i := range many {
			many[i] = f
		}
		is.NoErr(a.Send(soon(t), []byte("flood"), many...))
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		is.Equal(len(m.Files), MaxFiles)
		is.NoErr(m.Close())
		is.True(errors.Is(a.Send(soon(t), nil, append(many, f)...), ErrTooManyFiles))
	})
	t.Run("none wanted", func(t *testing.T) {
		is := is.New(t)
		a, b := pair(t, &ConnOptions{MaxFiles: -1})
		err := a.Send(soon(t), []byte("m"), numbered(t, 0, 1)...)
		if err != nil { // refused by the kernel
			is.True(errors.Is(err, os.ErrPermission))
			is.NoErr(a.Send(soon(t), []byte("m")))
		}
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		is.Equal(string(m.Data), "m")
		is.Equal(len(m.Files), 0)
	})
}

func TestFilesStayTheCallers(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	r, w, err := os.Pipe()
	is.NoErr(err)
	defer r.Close()
	defer w.Close()
	nonblock := func() int {
		raw, err := r.SyscallConn()
		is.NoErr(err)
		var flags int
		is.NoErr(raw.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0) }))
		is.NoErr(err)
		return flags & unix.O_NONBLOCK
	}
	before := nonblock()
	is.NoErr(a.Send(soon(t), nil, r, w))
	is.Equal(nonblock(), before) // File.Fd would have changed it
	m, err := b.Recv(soon(t))
	is.NoErr(err)
	is.NoErr(m.Close())

	closed := numbered(t, 0, 1)[0]
	closed.Close()
	is.True(errors.Is(a.Send(soon(t), nil, r, closed), os.ErrClosed))
	is.True(errors.Is(a.Send(soon(t), nil, nil), os.ErrInvalid))
}

func FuzzControlMessages(f *testing.F) {
	f.Add(sysRights([]int{}))
	f.Add([]byte{20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, oob []byte) {
		if n := len(parseRights(oob)); n > len(oob)/4 {
			t.Fatalf("%d descriptors in %d bytes", n, len(oob))
		}
	})
}
