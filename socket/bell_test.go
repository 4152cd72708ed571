//go:build linux && !ipcportable

package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func init() {
	helpers["echo-spinning"] = func([]string) {
		c, err := FromFile(os.NewFile(3, "inherited"))
		if err != nil {
			panic(err)
		}
		c.SetSpin(time.Millisecond)
		echoConn(c)
	}
}

// moveTo moves c to bells or back, as moveToBells and moveBack do.
func moveTo(t testing.TB, c *Conn, bells bool) {
	t.Helper()
	_ = c.in.turn.lock(context.Background())
	_ = c.out.turn.lock(context.Background())
	defer c.in.turn.unlock()
	defer c.out.turn.unlock()
	if err := c.move(bells); err != nil {
		t.Error(err)
	}
}

// belled is pair with bells on both sides.
func belled(t testing.TB, o *ConnOptions) (*Conn, *Conn) {
	t.Helper()
	a, b := pair(t, o)
	moveTo(t, a, true)
	moveTo(t, b, true)
	return a, b
}

func (c *Conn) hasBells() bool { return c.desc.Load().in != nil }

// A connection on which polling finds what it waits for moves; one that may not
// poll stays.
func TestPollingMovesToBells(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spin  time.Duration
		moves bool
	}{{"polls", time.Millisecond, true}, {"sleeps", -1, bellsAtOnce}} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			a, b := pair(t, &ConnOptions{Spin: tt.spin})
			f, err := b.File()
			is.NoErr(err)
			echo := helper(t, "echo-spinning")
			echo.ExtraFiles = []*os.File{f}
			is.NoErr(echo.Start())
			f.Close()
			b.Close()
			ctx := soon(t)
			for n := 0; n < 1000 || tt.moves && !a.hasBells(); n++ {
				is.NoErr(a.Send(ctx, []byte("x")))
				_, err := a.Recv(ctx)
				is.NoErr(err)
			}
			is.Equal(a.hasBells(), tt.moves)
			is.NoErr(a.Close())
			is.NoErr(echo.Wait())
		})
	}
}

// Whatever the rhythm, armed or not, no message is slept through. In bursts of
// this length the bell is armed for the first message of each, and disarmed by
// the last.
func TestBellRings(t *testing.T) {
	const rounds = 3000
	for burst := 1; burst <= disarmAfter+2; burst++ {
		a, b := belled(t, &ConnOptions{Spin: -1})
		ctx := soon(t)
		failed := make(chan error, 1)
		go func() {
			for range rounds {
				for range burst {
					if _, err := b.Recv(ctx); err != nil {
						failed <- err
						return
					}
				}
				if err := b.Send(ctx, []byte("next")); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
		for range rounds {
			for range burst {
				if err := a.Send(ctx, []byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := a.Recv(ctx); err != nil {
				t.Fatalf("bursts of %d: %v; the other side: %v", burst, err, <-failed)
			}
		}
		if err := <-failed; err != nil {
			t.Fatalf("bursts of %d: %v", burst, err)
		}
	}
}

// What has come before the bell is armed rings it, also if it rang before.
func TestBellRingsForWhatIsThere(t *testing.T) {
	is := is.New(t)
	a, b := belled(t, nil)
	bell := b.desc.Load().in
	onSocket := func(f func(sock int)) {
		is.NoErr(bell.raw.Control(func(fd uintptr) {
			bell.fd = int(fd)
			is.NoErr(b.control(func(sock uintptr) { f(int(sock)) }))
		}))
	}
	watch, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	is.NoErr(err)
	defer unix.Close(watch)
	is.NoErr(bell.raw.Control(func(fd uintptr) {
		err = unix.EpollCtl(watch, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&(1<<32-1)})
	}))
	is.NoErr(err)
	told := func() bool { // of a ring since the last call, as the runtime is
		n, err := unix.EpollWait(watch, make([]unix.EpollEvent, 1), 0)
		is.NoErr(err)
		return n == 1
	}

	for range 200 {
		is.NoErr(a.Send(soon(t), []byte("x")))
		is.True(!told()) // nobody waits
		onSocket(func(sock int) { is.NoErr(bell.arm(sock)) })
		is.True(told())
		_, err = b.Recv(soon(t))
		is.NoErr(err)
		onSocket(bell.disarm)
		// Nobody looks at the bell here, which would take the event from its list.
	}
}

// What ends a wait ends one with bells too, and the connection goes on.
func TestWaitsWithBellsEnd(t *testing.T) {
	t.Run("Recv, context", func(t *testing.T) {
		is := is.New(t)
		a, b := belled(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		received := make(chan error, 1)
		go func() { _, err := b.Recv(ctx); received <- err }()
		eventually(t, "Recv waits", func() bool { return watches(&b.in.gate, ctx) })
		cancel()
		is.True(errors.Is(<-received, context.Canceled))
		is.NoErr(a.Send(soon(t), []byte("x")))
		_, err := b.Recv(soon(t))
		is.NoErr(err)
	})
	t.Run("Recv, deadline", func(t *testing.T) {
		is := is.New(t)
		_, b := belled(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := b.Recv(ctx)
		is.True(errors.Is(err, context.DeadlineExceeded))
	})
	t.Run("Recv, idle", func(t *testing.T) {
		is := is.New(t)
		_, b := belled(t, &ConnOptions{IdleTimeout: time.Millisecond})
		_, err := b.Recv(soon(t))
		is.True(errors.Is(err, ErrTimeout))
	})
	t.Run("Recv, closed here", func(t *testing.T) {
		is := is.New(t)
		_, b := belled(t, nil)
		ctx := soon(t)
		received := make(chan error, 1)
		go func() { _, err := b.Recv(ctx); received <- err }()
		eventually(t, "Recv waits", func() bool { return watches(&b.in.gate, ctx) })
		is.NoErr(b.Close())
		is.True(errors.Is(<-received, os.ErrClosed))
	})
	t.Run("Recv, closed there", func(t *testing.T) {
		is := is.New(t)
		a, b := belled(t, nil)
		ctx := soon(t)
		received := make(chan error, 1)
		go func() { _, err := b.Recv(ctx); received <- err }()
		eventually(t, "Recv waits", func() bool { return watches(&b.in.gate, ctx) })
		is.NoErr(a.Close())
		is.Equal(<-received, io.EOF)
	})
	t.Run("Send, context, then room", func(t *testing.T) {
		is := is.New(t)
		const long = 8 << 20
		a, b := belled(t, &ConnOptions{MaxMessage: long})
		ctx, cancel := context.WithCancel(t.Context())
		sent := make(chan error, 1)
		msg := bytes.Repeat([]byte("x"), long)
		go func() { sent <- a.Send(ctx, msg) }()
		eventually(t, "Send waits", func() bool { return watches(&a.out.gate, ctx) })
		cancel()
		is.True(errors.Is(<-sent, context.Canceled))
		go func() { sent <- a.Send(soon(t), []byte("after")) }() // completes the other first
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		is.True(bytes.Equal(m.Data, msg))
		m, err = b.Recv(soon(t))
		is.NoErr(err)
		is.Equal(string(m.Data), "after")
		is.NoErr(<-sent)
	})
	t.Run("Send, closed there", func(t *testing.T) {
		is := is.New(t)
		const long = 8 << 20
		a, b := belled(t, &ConnOptions{MaxMessage: long})
		ctx := soon(t)
		sent := make(chan error, 1)
		go func() { sent <- a.Send(ctx, make([]byte, long)) }()
		eventually(t, "Send waits", func() bool { return watches(&a.out.gate, ctx) })
		is.NoErr(b.Close())
		is.True(errors.Is(<-sent, ErrPeerClosed))
	})
}

// A context that was watched before the connection moved ends waits after it.
func TestContextMoves(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 { // one that comes twice is kept
		received := make(chan error, 1)
		go func() { _, err := b.Recv(ctx); received <- err }()
		eventually(t, "Recv waits", func() bool { return watches(&b.in.gate, ctx) })
		is.NoErr(a.Send(soon(t), []byte("x")))
		is.NoErr(<-received)
	}
	is.True(watches(&b.in.gate, ctx))
	moveTo(t, b, true)
	received := make(chan error, 1)
	go func() { _, err := b.Recv(ctx); received <- err }()
	cancel()
	is.True(errors.Is(<-received, context.Canceled))
}

// All that has to do with the descriptor works on after a move.
func TestMovedConnection(t *testing.T) {
	is := is.New(t)
	a, b := belled(t, nil)
	raw, err := b.SyscallConn()
	is.NoErr(err)
	moveTo(t, b, false)
	moveTo(t, b, true)
	is.NoErr(raw.Control(func(fd uintptr) { _, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE) }))
	is.NoErr(err)

	f, err := os.Open(os.DevNull)
	is.NoErr(err)
	defer f.Close()
	is.NoErr(a.Send(soon(t), []byte("with a file"), f))
	m, err := b.Recv(soon(t))
	is.NoErr(err)
	is.Equal(len(m.Files), 1)
	is.NoErr(m.Close())

	p, err := b.PeerProcess()
	is.NoErr(err)
	is.Equal(int(p.PID()), os.Getpid())

	nb := b.NetConn()
	is.True(!b.hasBells())
	is.NoErr(nb.SetReadDeadline(time.Now().Add(-time.Second)))
	_, err = nb.Read(make([]byte, 1))
	is.True(errors.Is(err, os.ErrDeadlineExceeded))
	is.NoErr(nb.SetReadDeadline(time.Time{}))
	_, err = a.NetConn().Write([]byte("plain"))
	is.NoErr(err)
	p5 := make([]byte, 5)
	_, err = io.ReadFull(nb, p5)
	is.NoErr(err)
	is.Equal(string(p5), "plain")
	is.NoErr(a.CloseWrite(soon(t)))
	_, err = nb.Read(p5)
	is.Equal(err, io.EOF)
}

// Messages go through while both ends move to and fro, and so do calls that
// need the descriptor and no turn.
func TestMovesInUse(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	ctx := soon(t)
	const messages = 5000
	var wg sync.WaitGroup
	var over atomic.Bool
	for _, c := range []*Conn{a, b} {
		wg.Go(func() {
			for bells := true; !over.Load(); bells = !bells {
				moveTo(t, c, bells)
			}
		})
		wg.Go(func() {
			for !over.Load() {
				if err := c.control(func(uintptr) {}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	failed := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < messages && err == nil; i++ {
			err = a.Send(ctx, []byte{byte(i)})
		}
		failed <- err
	}()
	for i := range messages {
		m, err := b.Recv(ctx)
		is.NoErr(err)
		is.Equal(m.Data, []byte{byte(i)})
	}
	is.NoErr(<-failed)
	over.Store(true)
	wg.Wait()
}

// Close and a move at the same time leave nothing open: leaks in TestMain looks.
func TestCloseWhileMoving(t *testing.T) {
	for range 200 {
		a, b := pair(t, nil)
		moved := make(chan bool)
		go func() {
			_ = a.in.turn.lock(context.Background())
			_ = a.out.turn.lock(context.Background())
			_ = a.move(true)
			a.out.turn.unlock()
			a.in.turn.unlock()
			close(moved)
		}()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		<-moved
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// withSpare calls f while no more than n descriptors can be opened.
func withSpare(t testing.TB, n int, f func()) {
	t.Helper()
	highest := 0
	for fd := range openFiles() {
		n, err := strconv.Atoi(fd)
		if err != nil {
			t.Fatal(err)
		}
		highest = max(highest, n)
	}
	last := 0
	for last <= highest { // fill what is free below it
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		last = int(f.Fd())
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(last + 1 + n), Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	f()
}

// Where there are no descriptors to spare, the connection stays where it is,
// and works. One with bells has what it needs to move back.
func TestNoDescriptorsForBells(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	moveTo(t, b, false) // not to have bells already
	before := openFiles()
	for spare := range 3 { // the duplicate and two bells need three
		_ = b.in.turn.lock(context.Background())
		withSpare(t, spare, func() { is.True(errors.Is(b.move(true), syscall.EMFILE)) })
		b.in.turn.unlock()
		is.True(!b.hasBells())
		is.Equal(openFiles(), before)
	}
	is.NoErr(a.Send(soon(t), []byte("x")))
	m, err := b.Recv(soon(t))
	is.NoErr(err)
	is.True(slices.Equal(m.Data, []byte("x")))

	moveTo(t, b, true)
	b.settled.Store(true)
	var nb net.Conn
	withSpare(t, 0, func() { nb = b.NetConn() })
	is.True(!b.hasBells())
	_, err = a.NetConn().Write([]byte("y"))
	is.NoErr(err)
	_, err = nb.Read(make([]byte, 1))
	is.NoErr(err)
}

// A descriptor that finds no number here is told apart from one too many.
func TestFileLimitsOfTheProcess(t *testing.T) {
	for spare := range 2 {
		is := is.New(t)
		a, b := pair(t, nil)
		is.NoErr(a.Send(soon(t), []byte("before")))
		is.NoErr(a.Send(soon(t), []byte("two"), numbered(t, 0, 2)...))
		is.NoErr(a.Send(soon(t), []byte("behind")))
		withSpare(t, spare, func() {
			m, err := b.Recv(soon(t))
			is.NoErr(err)
			is.Equal(string(m.Data), "before")
			for range 2 {
				_, err = b.Recv(soon(t))
				is.True(errors.Is(err, syscall.EMFILE))
				is.True(!errors.Is(err, ErrTooManyFiles))
			}
		})
		is.NoErr(b.Close()) // the leak check of TestMain does the rest
	}
}
