package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket/frame"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + n)
	}
	return b
}

var sizes = []int{0, 1, 64, 4096, 16<<10 + 1, 64 << 10, 300_000, 5 << 20}

func TestMessagesArriveAsSent(t *testing.T) {
	for name, send := range map[string]func(*Conn, context.Context, []byte) error{
		"Send":         func(c *Conn, ctx context.Context, m []byte) error { return c.Send(ctx, m) },
		"SendBuffered": (*Conn).SendBuffered,
	} {
		for _, spin := range []time.Duration{0, 50 * time.Microsecond} {
			t.Run(fmt.Sprintf("%s, spin %v", name, spin), func(t *testing.T) {
				is := is.New(t)
				ctx := soon(t)
				a, b := pair(t, &ConnOptions{MaxMessage: 8 << 20, Spin: spin})
				errs := make(chan error, 1)
				go func() {
					for _, n := range sizes {
						if err := send(a, ctx, pattern(n)); err != nil {
							errs <- err
							return
						}
					}
					errs <- a.CloseWrite(ctx)
				}()
				var buf []byte
				for _, n := range sizes {
					m, err := b.RecvInto(ctx, buf)
					is.NoErr(err)
					is.True(bytes.Equal(m.Data, pattern(n))) // same bytes
					buf = m.Data
				}
				_, err := b.Recv(ctx)
				is.Equal(err, io.EOF)
				is.NoErr(<-errs)
				is.NoErr(b.Send(ctx, []byte("the other way still works")))
				m, err := a.Recv(ctx)
				is.NoErr(err)
				is.Equal(string(m.Data), "the other way still works")
			})
		}
	}
}

func TestSendBufferedGoesOutByItself(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	is.NoErr(a.SendBuffered(soon(t), []byte("x")))
	m, err := b.Recv(soon(t)) // nothing else is called on a
	is.NoErr(err)
	is.Equal(string(m.Data), "x")
}

func TestSendFrames(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	is.True(!b.Pending())
	is.NoErr(a.SendBuffered(soon(t), []byte("buffered"))) // goes first
	n, err := a.SendFrames(soon(t), frame.Append(frame.Append(nil, []byte("one")), []byte("two")))
	is.NoErr(err)
	is.Equal(n, 2*(4+3))
	for _, want := range []string{"buffered", "one", "two"} {
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		is.Equal(string(m.Data), want)
		is.Equal(b.Pending(), want != "two") // one read got them all
	}

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	sent := 0
	for err == nil { // until the peer has no room
		n, err = a.SendFrames(ctx, frame.Append(nil, pattern(10_000)))
		sent += n
	}
	is.True(errors.Is(err, context.DeadlineExceeded))
	n, err = a.SendFrames(ctx, frame.Append(nil, pattern(10)))
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.Equal(n, 0) // not even begun
	for sent > 0 {
		m, err := b.Recv(soon(t)) // what was taken arrives, though nobody sends any more
		is.NoErr(err)
		is.True(bytes.Equal(m.Data, pattern(10_000)))
		sent -= 4 + 10_000
	}
	is.NoErr(a.Send(soon(t), []byte("and goes on")))
	m, err := b.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "and goes on")
}

// TryFlush sends what is buffered by itself, and does not wait where there is no room.
func TestTryFlush(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, &ConnOptions{WriteBuffer: 1})   // the least there is
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // no other goroutine runs in between
	a.TryFlush()
	is.NoErr(a.SendBuffered(soon(t), []byte("x")))
	is.True(a.out.buffered.Load())
	a.TryFlush()
	is.True(!a.out.buffered.Load())
	m, err := b.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "x")

	full, cancel := context.WithCancel(soon(t))
	failed := make(chan error)
	go func() {
		var err error
		for err == nil {
			err = a.SendBuffered(full, make([]byte, 1000))
		}
		failed <- err
	}()
	eventually(t, "no room", a.out.waiting.Load)
	cancel()
	is.True(errors.Is(<-failed, context.Canceled))
	a.TryFlush()
	is.True(a.out.buffered.Load())
}

func TestSpinInForce(t *testing.T) {
	is := is.New(t)
	for _, c := range []struct{ option, set, want time.Duration }{{0, 0, 0}, {0, 5, 5}, {7, 5, 7}, {-1, 5, 0}} {
		a, _ := pair(t, &ConnOptions{Spin: c.option})
		a.SetSpin(c.set)
		is.Equal(a.Spin(), c.want)
	}
}

// A sender that never pauses, and never fills the buffer, holds nothing back.
func TestSendBufferedGoesOutBehindAnEagerSender(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	arrived := make(chan error, 1)
	go func() {
		for range 200 {
			if _, err := b.Recv(soon(t)); err != nil {
				arrived <- err
				return
			}
		}
		arrived <- nil
	}()
	for range 10_000 { // of 5 bytes; 64 KiB go by themselves
		is.NoErr(a.SendBuffered(soon(t), []byte("x")))
		for start := time.Now(); time.Since(start) < 200*time.Microsecond; {
			runtime.Gosched()
		}
		select {
		case err := <-arrived:
			is.NoErr(err)
			return
		default:
		}
	}
	t.Fatal("200 messages did not arrive while the sender went on")
}

func TestCloseSendsWhatIsBuffered(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	for range 100 {
		is.NoErr(a.SendBuffered(soon(t), []byte("x")))
	}
	is.NoErr(a.Close())
	for range 100 {
		_, err := b.Recv(soon(t))
		is.NoErr(err)
	}
	_, err := b.Recv(soon(t))
	is.Equal(err, io.EOF)
}

// Whoever has the turn for a moment while Close comes, such as the goroutine
// that looks whether the sender has paused, costs nobody a message.
func TestCloseSendsWhatIsBufferedInItsTurn(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	a.out.flushing = true // nobody else shall send it
	is.NoErr(a.SendBuffered(soon(t), []byte("x")))
	is.True(a.out.turn.tryLock())
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	for range 1000 {
		runtime.Gosched() // let it try
	}
	a.out.turn.unlock()
	m, err := b.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "x")
	is.NoErr(<-closed)
}

// After CloseWrite it is not the peer that is blamed.
func TestSendAfterCloseWrite(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	is.NoErr(a.CloseWrite(soon(t)))
	for name, send := range map[string]func() error{
		"Send":         func() error { return a.Send(soon(t), []byte("x")) },
		"SendBuffered": func() error { return a.SendBuffered(soon(t), []byte("x")) },
		"long":         func() error { return a.Send(soon(t), pattern(1<<20)) },
		"files":        func() error { return a.Send(soon(t), []byte("x"), os.Stdin) },
		"SendHandle":   func() error { return a.SendHandle(soon(t), os.Stdin) },
		"SendFrames": func() error {
			_, err := a.SendFrames(soon(t), frame.Append(nil, []byte("x")))
			return err
		},
	} {
		err := send()
		if !errors.Is(err, os.ErrClosed) || errors.Is(err, ErrPeerClosed) {
			t.Errorf("%s: error = %v, want os.ErrClosed", name, err)
		}
	}
	_, err := b.Recv(soon(t))
	is.Equal(err, io.EOF)
	is.NoErr(b.Send(soon(t), []byte("still heard")))
	m, err := a.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "still heard")
}

// A message that SendBuffered takes while CloseWrite comes is sent, or refused.
func TestCloseWriteSendsWhatWasTaken(t *testing.T) {
	for range 50 {
		is := is.New(t)
		a, b := pair(t, nil)
		took := make(chan int, 1)
		go func() {
			n := 0
			for a.SendBuffered(soon(t), []byte("x")) == nil {
				n++
			}
			took <- n
		}()
		_, err := b.Recv(soon(t)) // it has begun
		is.NoErr(err)
		is.NoErr(a.CloseWrite(soon(t)))
		came := 1
		for ; err == nil; came++ {
			_, err = b.Recv(soon(t))
		}
		is.Equal(err, io.EOF)
		is.Equal(came-1, <-took)
		is.NoErr(a.Close())
		is.NoErr(b.Close())
	}
}

// As everything else, it may meet a Close. The race detector looks on.
func TestSetMemoryWhileClosing(t *testing.T) {
	for range 100 {
		a, _ := pair(t, nil)
		closed := make(chan error, 1)
		go func() { closed <- a.Close() }()
		a.SetMemory(func(n int) []byte { return make([]byte, n) })
		is.New(t).NoErr(<-closed)
	}
}

// What has been taken and not sent is bounded, however often the caller gives up.
func TestGivenUpSendFramesAreBounded(t *testing.T) {
	is := is.New(t)
	a, _ := pair(t, nil)
	a.out.flushing = true // nobody else shall wait in its turn
	batch := frame.Append(nil, pattern(10_000))
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, _ = a.SendFrames(ctx, batch)
		cancel()
	}
	is.True(a.out.fw.Buffered() < maxWaiting+len(batch))
}

func TestConcurrentCallersGetWholeMessages(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	const senders, each = 8, 500
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				msg := bytes.Repeat([]byte{byte(s)}, 1+(i*37)%5000)
				send := a.SendBuffered
				if i%3 == 0 {
					send = func(ctx context.Context, m []byte) error { return a.Send(ctx, m) }
				}
				if err := send(soon(t), msg); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	counts := make([]int, senders)
	var mu sync.Mutex
	var rg sync.WaitGroup
	for range 4 {
		rg.Go(func() {
			for {
				m, err := b.Recv(soon(t))
				if err == io.EOF {
					return
				}
				if err != nil || len(m.Data) == 0 || bytes.Count(m.Data, m.Data[:1]) != len(m.Data) {
					t.Errorf("torn message of %d bytes, or error %v", len(m.Data), err)
					return
				}
				mu.Lock()
				counts[m.Data[0]]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	is.NoErr(a.CloseWrite(soon(t)))
	rg.Wait()
	for _, n := range counts {
		is.Equal(n, each)
	}
}

func TestContextEndsWaits(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	past, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	later, cancelLater := context.WithCancel(t.Context())
	time.AfterFunc(5*time.Millisecond, cancelLater)

	for ctx, want := range map[context.Context]error{
		cancelled: context.Canceled, past: context.DeadlineExceeded, later: context.Canceled,
	} {
		for range 3 { // the same context again, and after another one
			_, err := a.Recv(ctx)
			is.True(errors.Is(err, want))
		}
	}
	// Without a reader, sends fill the kernel's buffer and wait.
	full, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	big := pattern(1 << 20)
	var err error
	n := 0
	for ; err == nil; n++ {
		err = a.Send(full, big)
	}
	is.True(errors.Is(err, context.DeadlineExceeded))

	// What had begun to go out is completed; and nothing is broken.
	go func() { _ = a.Send(context.Background(), []byte("next")) }()
	got := 0
	m, err := b.Recv(soon(t))
	for ; err == nil && len(m.Data) == len(big); got++ {
		is.True(bytes.Equal(m.Data, big)) // whole, although its Send gave up
		m, err = b.Recv(soon(t))
	}
	is.NoErr(err)
	is.Equal(string(m.Data), "next")
	is.True(got == n || got == n-1) // the last one had begun to go out, or not

	// A receive that gave up lost nothing either.
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = a.Recv(short)
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.NoErr(b.Send(soon(t), []byte("reply")))
	m, err = a.Recv(context.Background())
	is.NoErr(err)
	is.Equal(string(m.Data), "reply")
}

func TestWaitersInTurnHonourTheirContexts(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	first := make(chan error, 1)
	go func() { _, err := a.Recv(context.Background()); first <- err }()
	eventually(t, "the first Recv waits", func() bool { return a.in.turn.state.Load() != 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, err := a.Recv(ctx)
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.NoErr(b.Send(soon(t), nil))
	is.NoErr(<-first)
}

func TestInterruptedMessageIsResumed(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	whole := frame.Append(nil, pattern(100_000))
	writeRaw(t, a, whole[:70_000])
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err := b.RecvInto(ctx, make([]byte, 0, 200_000))
		is.True(errors.Is(err, context.DeadlineExceeded))
		cancel()
	}
	writeRaw(t, a, whole[70_000:])
	m, err := b.RecvInto(soon(t), make([]byte, 0, 200_000))
	is.NoErr(err)
	is.True(bytes.Equal(m.Data, pattern(100_000)))
}

// writeRaw puts bytes on the socket past the frame writer.
func writeRaw(t testing.TB, c *Conn, p []byte) {
	t.Helper()
	if err := c.out.turn.lock(soon(t)); err != nil {
		t.Fatal(err)
	}
	defer c.out.turn.unlock()
	c.out.ctx = context.Background()
	defer c.out.settle()
	if _, err := c.out.Write(p); err != nil {
		t.Fatal(err)
	}
}

func TestPeerThatGoesAway(t *testing.T) {
	t.Run("between messages", func(t *testing.T) {
		is := is.New(t)
		a, b := pair(t, nil)
		is.NoErr(a.Send(soon(t), []byte("last")))
		a.Close()
		m, err := b.Recv(soon(t))
		is.NoErr(err)
		is.Equal(string(m.Data), "last")
		_, err = b.Recv(soon(t))
		is.Equal(err, io.EOF)
		is.True(errors.Is(b.Send(soon(t), []byte("x")), ErrPeerClosed))
	})
	t.Run("inside a message", func(t *testing.T) {
		is := is.New(t)
		a, b := pair(t, nil)
		writeRaw(t, a, []byte("\x00\x00\x00\x05hel"))
		a.Close()
		_, err := b.Recv(soon(t))
		is.True(errors.Is(err, ErrTruncated))
		is.True(errors.Is(err, io.ErrUnexpectedEOF))
	})
	t.Run("without reading what it was sent", func(t *testing.T) {
		is := is.New(t)
		a, b := pair(t, nil)
		is.NoErr(b.Send(soon(t), []byte("unread")))
		a.Close()
		_, err := b.Recv(soon(t))
		is.True(errors.Is(err, ErrPeerClosed))
	})
}

func TestCloseEndsWaitsAndIsIdempotent(t *testing.T) {
	is := is.New(t)
	a, _ := pair(t, nil)
	errs := make(chan error)
	go func() { _, err := a.Recv(context.Background()); errs <- err }()
	go func() { _, err := a.Recv(context.Background()); errs <- err }()
	go func() {
		var err error
		for err == nil {
			err = a.Send(context.Background(), pattern(1<<20))
		}
		errs <- err
	}()
	eventually(t, "calls wait", func() bool { return a.in.turn.state.Load() == 2 && a.out.turn.state.Load() != 0 })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _ = a.Close() })
	}
	wg.Wait()
	for range 3 {
		is.True(errors.Is(<-errs, os.ErrClosed))
	}
	is.NoErr(a.Close())
	_, err := a.Recv(soon(t))
	is.True(errors.Is(err, os.ErrClosed))
	is.True(errors.Is(a.Send(soon(t), nil), os.ErrClosed))
	is.True(errors.Is(a.SendBuffered(soon(t), nil), os.ErrClosed))
	is.True(errors.Is(a.Flush(soon(t)), os.ErrClosed))
	_, err = a.File()
	is.True(errors.Is(err, os.ErrClosed))
}

func TestLimits(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, &ConnOptions{MaxMessage: 1000})
	is.True(errors.Is(a.Send(soon(t), make([]byte, 1001)), ErrTooLarge))
	is.NoErr(a.Send(soon(t), make([]byte, 1000)))
	_, err := b.Recv(soon(t))
	is.NoErr(err)
	writeRaw(t, a, []byte("\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00\x00\x00")) // 4 GiB
	_, err = b.Recv(soon(t))
	is.True(errors.Is(err, ErrTooLarge))
}

func TestTimeouts(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, &ConnOptions{IdleTimeout: 5 * time.Millisecond})
	_, err := b.Recv(context.Background())
	is.True(errors.Is(err, ErrTimeout))
	is.True(errors.Is(err, os.ErrDeadlineExceeded))
	is.NoErr(a.Send(soon(t), []byte("later")))
	m, err := b.Recv(context.Background()) // the time-out left nothing behind
	is.NoErr(err)
	is.Equal(string(m.Data), "later")

	// A peer that sends a byte now and then gets no more time for it.
	a, b = pair(t, &ConnOptions{FrameTimeout: 30 * time.Millisecond})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		writeRaw(t, a, []byte("\x00\x00\xff\xff"))
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				writeRaw(t, a, []byte("x"))
			}
		}
	}()
	_, err = b.Recv(context.Background())
	is.True(errors.Is(err, ErrTimeout))
	close(stop)
	<-stopped
}

// The time-out of a Recv that got its message is not that of the next one,
// however late it comes.
func TestTimeoutEndsWithItsRecv(t *testing.T) {
	is := is.New(t)
	const idle = 50 * time.Millisecond
	a, b := pair(t, &ConnOptions{IdleTimeout: idle})
	received := make(chan error, 1)
	go func() {
		err := ErrTimeout // where the machine is busy
		for errors.Is(err, ErrTimeout) {
			_, err = b.Recv(context.Background())
		}
		received <- err
	}()
	eventually(t, "Recv waits", func() bool {
		b.in.gate.mu.Lock()
		defer b.in.gate.mu.Unlock()
		return b.in.gate.isSet
	})
	is.NoErr(a.Send(soon(t), []byte("in time")))
	is.NoErr(<-received)
	time.Sleep(idle) // the receiver is busy with it for as long
	is.NoErr(a.Send(soon(t), []byte("here already")))
	m, err := b.Recv(context.Background())
	is.NoErr(err)
	is.Equal(string(m.Data), "here already")
}

func TestIdleTimeoutDoesNotApplyInsideAMessage(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, &ConnOptions{IdleTimeout: 20 * time.Millisecond})
	writeRaw(t, a, []byte("\x00\x00\x00\x02a"))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	_, err := b.Recv(ctx)
	is.True(errors.Is(err, context.DeadlineExceeded)) // not ErrTimeout
}

func TestPairKnowsItsMaker(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	for _, c := range []*Conn{a, b} {
		is.Equal(int(c.Peer().UID), os.Geteuid())
		is.Equal(int(c.Peer().PID), os.Getpid())
		p, err := c.PeerProcess()
		is.NoErr(err)
		is.True(p.Alive())
		is.NoErr(c.Close())
		_, err = c.PeerProcess()
		is.True(errors.Is(err, os.ErrClosed))
	}
}

func TestFromFile(t *testing.T) {
	is := is.New(t)
	a, b := pair(t, nil)
	f, err := b.File()
	is.NoErr(err)
	b.Close()
	c, err := FromFile(f)
	is.NoErr(err)
	is.NoErr(f.Close())
	defer c.Close()
	is.NoErr(a.Send(soon(t), []byte("moved")))
	m, err := c.Recv(soon(t))
	is.NoErr(err)
	is.Equal(string(m.Data), "moved")

	r, w, err := os.Pipe()
	is.NoErr(err)
	defer r.Close()
	defer w.Close()
	_, err = FromFile(r)
	is.True(err != nil) // a pipe is no socket
}

func TestNoAllocationPerMessage(t *testing.T) {
	a, b := pair(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	msg, buf := pattern(64), make([]byte, 0, 64)
	turn := func() {
		if err := a.Send(ctx, msg); err != nil {
			t.Fatal(err)
		}
		m, err := b.RecvInto(ctx, buf)
		if err != nil {
			t.Fatal(err)
		}
		buf = m.Data
	}
	for range 100 {
		turn()
	}
	if n := testing.AllocsPerRun(1000, turn); n > allocations {
		t.Fatalf("%v allocations per message, want %v", n, allocations)
	}
}
