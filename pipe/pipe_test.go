//go:build unix

package pipe

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/socket/frame"
)

func TestRawBytes(t *testing.T) {
	is := is.New(t)
	r, w := pair(t, stream)
	n, err := w.Write([]byte("some bytes"))
	is.NoErr(err)
	is.Equal(n, 10)
	buf := make([]byte, 4)
	n, err = r.Read(buf)
	is.NoErr(err)
	is.Equal(string(buf[:n]), "some")
	is.NoErr(w.Close())
	rest, err := io.ReadAll(r)
	is.NoErr(err)
	is.Equal(string(rest), " bytes")
	_, err = r.Read(buf)
	is.Equal(err, io.EOF) // the writer is gone, and the end is bare
	n, err = r.Read(nil)
	is.NoErr(err)
	is.Equal(n, 0)
}

func TestTypedEnds(t *testing.T) {
	ctx := watched(t)
	for _, m := range []struct {
		name string
		mode
	}{{"stream", stream}, {"packet", packetMode}, {"framed", framed}} {
		t.Run(m.name, func(t *testing.T) {
			is := is.New(t)
			r, w := pair(t, m.mode)
			is.NoErr(r.Close())
			err := w.Send(ctx, []byte("x"))
			is.True(errors.Is(err, syscall.EPIPE)) // no reader is left
			is.True(strings.Contains(err.Error(), "pipe: send: the reader is gone"))
			_, err = w.Write([]byte("x"))
			is.True(errors.Is(err, syscall.EPIPE))

			_, err = r.Recv(ctx)
			is.True(errors.Is(err, os.ErrClosed)) // closed on this side
			_, err = r.Read(make([]byte, 1))
			is.True(errors.Is(err, os.ErrClosed))
			is.NoErr(r.Close()) // again

			r, w = pair(t, m.mode)
			is.NoErr(w.Send(ctx, []byte("last")))
			is.NoErr(w.Close())
			is.NoErr(w.Close())
			msg, err := r.Recv(ctx)
			is.NoErr(err)
			is.Equal(string(msg), "last")
			_, err = r.Recv(ctx)
			is.Equal(err, io.EOF)
			is.True(errors.Is(w.Send(ctx, []byte("x")), os.ErrClosed))
			_, err = w.Write([]byte("x"))
			is.True(errors.Is(err, os.ErrClosed))
		})
	}
}

func TestWaitsEndWithTheirContext(t *testing.T) {
	r, w := pair(t, stream)
	full := make([]byte, 1<<20)
	for name, call := range map[string]func(context.Context) error{
		"read":  func(ctx context.Context) error { _, err := r.ReadContext(ctx, make([]byte, 1)); return err },
		"recv":  func(ctx context.Context) error { _, err := r.Recv(ctx); return err },
		"write": func(ctx context.Context) error { _, err := w.WriteContext(ctx, full); return err },
		"send":  func(ctx context.Context) error { return w.Send(ctx, full) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			if strings.HasPrefix(name, "re") {
				r, _ = pair(t, stream)
			} else {
				_, w = pair(t, stream)
			}
			err := call(soon(t))
			is.True(errors.Is(err, context.DeadlineExceeded)) // ended while it waited
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			err = call(cancelled)
			is.True(errors.Is(err, context.Canceled)) // ended before
		})
	}
}

// A caller that waits for its turn behind another leaves with its own context.
func TestTurnsEndWithTheirContext(t *testing.T) {
	is := is.New(t)
	r, w := pair(t, stream)
	first := make(chan error, 1)
	ctx, cancel := context.WithCancel(watched(t))
	go func() { _, err := r.Recv(ctx); first <- err }()
	for r.mu.users.Load() == 0 {
		runtime.Gosched()
	}
	_, err := r.Recv(soon(t))
	is.True(errors.Is(err, context.DeadlineExceeded))
	cancel()
	is.True(errors.Is(<-first, context.Canceled))
	is.NoErr(w.Send(watched(t), []byte("still in order")))
	msg, err := r.Recv(watched(t))
	is.NoErr(err)
	is.Equal(string(msg), "still in order")
}

func TestCloseEndsWaits(t *testing.T) {
	for name, background := range map[string]bool{"context that can't end": true, "context that can": false} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ctx := watched(t)
			if background {
				ctx = context.Background()
			}
			r, _ := pair(t, stream)
			_, w := pair(t, stream)
			errs := make(chan error, 4)
			go func() { _, err := r.Recv(ctx); errs <- err }()
			go func() { _, err := r.ReadContext(ctx, make([]byte, 1)); errs <- err }()
			go func() { errs <- w.Send(ctx, make([]byte, 1<<20)) }()
			go func() { _, err := w.WriteContext(ctx, make([]byte, 1<<20)); errs <- err }()
			for r.mu.users.Load() < 2 || w.mu.users.Load() < 2 {
				runtime.Gosched()
			}
			_ = r.Close()
			_ = w.Close()
			for range 4 {
				err := <-errs
				is.True(errors.Is(err, os.ErrClosed) || errors.Is(err, errMixed))
			}
		})
	}
}

var sizes = []int{0, 1, 4095, 4096, 16384, 16385, 65532, 65536, 300_000, 1 << 20}

func TestMessages(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	sent := make(chan error, 1)
	go func() {
		for _, n := range sizes {
			if err := w.Send(ctx, pattern(n)); err != nil {
				sent <- err
				return
			}
		}
		sent <- w.Close()
	}()
	var buf []byte
	for _, n := range sizes {
		msg, err := r.RecvInto(ctx, buf)
		is.NoErr(err)
		is.True(bytes.Equal(msg, pattern(n)))
		buf = msg
	}
	_, err := r.RecvInto(ctx, buf)
	is.Equal(err, io.EOF)
	is.NoErr(<-sent)
}

// The bytes that CPython's Connection.send_bytes writes.
func TestGoldenBytes(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	is.NoErr(w.Send(ctx, []byte("hello")))
	is.NoErr(w.Send(ctx, nil))
	is.NoErr(w.Close())
	all, err := io.ReadAll(r)
	is.NoErr(err)
	is.Equal(hex.EncodeToString(all), "0000000568656c6c6f00000000")
}

func TestLimits(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	is.True(errors.Is(w.Send(ctx, make([]byte, frame.DefaultLimit+1)), frame.ErrTooLarge))
	_, err := w.Write([]byte("\x7f\xff\xff\xff and not that much"))
	is.NoErr(err)
	_, err = r.Recv(ctx)
	is.True(errors.Is(err, frame.ErrTooLarge)) // before anything is allocated
	_, err = r.Recv(ctx)
	is.True(errors.Is(err, frame.ErrTooLarge)) // and for good

	r, w = pair(t, stream)
	r.SetLimit(10)
	w.SetLimit(11)
	is.True(errors.Is(w.Send(ctx, make([]byte, 12)), frame.ErrTooLarge))
	is.NoErr(w.Send(ctx, make([]byte, 11)))
	_, err = r.Recv(ctx)
	is.True(errors.Is(err, frame.ErrTooLarge))
}

// waitUntilFull returns when w's pipe has no room left.
func waitUntilFull(w *Writer) {
	for full := false; !full; runtime.Gosched() {
		_ = w.d.control(func(fd int) { full = pollNow(fd, unix.POLLOUT)&unix.POLLOUT == 0 })
	}
}

// A Send that its context ends is either withdrawn or finished by the next.
func TestInterruptedSendTearsNothing(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	begun, cancel := context.WithCancel(ctx)
	go func() {
		waitUntilFull(w)
		cancel()
	}()
	is.True(errors.Is(w.Send(begun, pattern(500_000)), context.Canceled))
	is.True(errors.Is(w.Send(soon(t), []byte("withdrawn")), context.DeadlineExceeded))
	done := make(chan error, 1)
	go func() { done <- w.Send(ctx, []byte("next")) }()
	msg, err := r.Recv(ctx)
	is.NoErr(err)
	is.True(bytes.Equal(msg, pattern(500_000)))
	msg, err = r.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(msg), "next")
	is.NoErr(<-done)
}

func TestInterruptedRecvGoesOn(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	whole := frame.Append(nil, pattern(10_000))
	for at := 0; at < len(whole); at += 3_001 {
		_, err := w.Write(whole[at:min(at+3_001, len(whole))])
		is.NoErr(err)
		if at+3_001 < len(whole) {
			_, err = r.Recv(soon(t))
			is.True(errors.Is(err, context.DeadlineExceeded))
		}
	}
	msg, err := r.Recv(ctx)
	is.NoErr(err)
	is.True(bytes.Equal(msg, pattern(10_000)))
}

func TestBytesAndMessagesDoNotMix(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	_, err := w.Write([]byte("hi")) // bytes first are well
	is.NoErr(err)
	is.NoErr(w.SendBuffered(ctx, []byte("one")))
	_, err = w.Write(frame.Append(nil, []byte("two"))) // behind what is buffered
	is.NoErr(err)
	head := make([]byte, 2)
	_, err = io.ReadFull(r, head)
	is.NoErr(err)
	is.Equal(string(head), "hi")
	for _, want := range []string{"one", "two"} {
		msg, err := r.Recv(ctx)
		is.NoErr(err)
		is.Equal(string(msg), want)
	}
	_, err = r.Read(head)
	is.True(errors.Is(err, errMixed)) // bytes might be read ahead
	_, err = r.WriteTo(io.Discard)
	is.True(errors.Is(err, errMixed))
}

func TestBufferedMessagesFlushThemselves(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	for range 100 {
		is.NoErr(w.SendBuffered(ctx, []byte("small")))
	}
	for range 100 { // nobody calls Flush
		msg, err := r.Recv(ctx)
		is.NoErr(err)
		is.Equal(string(msg), "small")
	}
	is.NoErr(w.SendBuffered(ctx, []byte("last")))
	is.NoErr(w.Close()) // there is room
	msg, err := r.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(msg), "last")
}

// A sender that never pauses and never fills the buffer does not keep its messages
// either. There is room for 13,000 of these in it.
func TestBufferedMessagesOfASteadySender(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	const burst = 2000 // the sender is seen sending
	arrived := make(chan error)
	go func() {
		for range burst {
			if _, err := r.Recv(ctx); err != nil {
				arrived <- err
				return
			}
		}
		arrived <- nil
	}()
	for i := range 12_000 {
		is.NoErr(w.SendBuffered(ctx, []byte("x")))
		if i < burst {
			continue
		}
		for begin := time.Now(); time.Since(begin) < 50*time.Microsecond; {
		}
		select {
		case err := <-arrived:
			is.NoErr(err)
			return
		default:
		}
	}
	t.Error("12,000 messages were sent and the first 2,000 have not arrived")
	is.NoErr(w.Flush(ctx))
	is.NoErr(<-arrived)
}

// Close and the goroutine that flushes meet at any moment; nothing is lost.
func TestCloseFlushes(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	for i := range 500 {
		r, w, err := New()
		is.NoErr(err)
		is.NoErr(w.SendBuffered(ctx, []byte("one")))
		for range i % 50 {
			runtime.Gosched()
		}
		is.NoErr(w.SendBuffered(ctx, []byte("two")))
		is.NoErr(w.Close())
		for _, want := range []string{"one", "two"} {
			msg, err := r.Recv(ctx)
			is.NoErr(err)
			is.Equal(string(msg), want)
		}
		_, err = r.Recv(ctx)
		is.Equal(err, io.EOF)
		is.NoErr(r.Close())
	}
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	is := is.New(t)
	_, w := pair(t, stream)
	begun, cancel := context.WithCancel(watched(t))
	go func() {
		waitUntilFull(w)
		cancel()
	}()
	_, err := w.WriteContext(begun, make([]byte, 10<<20))
	is.True(errors.Is(err, context.Canceled))
	is.NoErr(w.SendBuffered(watched(t), []byte("never sent")))
	err = w.Close()
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "14 bytes of messages were never sent"))
	is.NoErr(w.Close())
}

func TestManySenders(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	const senders, each = 8, 200
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				if err := w.Send(ctx, pattern(s*1000+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	got := map[int]bool{}
	for range senders * each {
		msg, err := r.Recv(ctx)
		is.NoErr(err)
		is.True(bytes.Equal(msg, pattern(len(msg)))) // whole
		got[len(msg)] = true
	}
	wg.Wait()
	is.Equal(len(got), senders*each)
}

func TestNoAllocationPerMessage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := pair(t, stream)
	msg, buf := pattern(1000), make([]byte, 0, 1024)
	turn := func() {
		if err := w.Send(ctx, msg); err != nil {
			t.Fatal(err)
		}
		var err error
		if buf, err = r.RecvInto(ctx, buf); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		turn()
	}
	if n := testing.AllocsPerRun(200, turn); n != 0 {
		t.Fatalf("%v allocations per message, want none", n)
	}
}

func TestCapacity(t *testing.T) {
	is := is.New(t)
	r, w := pair(t, stream)
	n, err := w.Capacity()
	if errors.Is(err, errors.ErrUnsupported) {
		_, err = r.SetCapacity(1 << 16)
		is.True(errors.Is(err, errors.ErrUnsupported))
		return
	}
	is.NoErr(err)
	is.True(n >= 4096)
	n, err = r.SetCapacity(100_000)
	is.NoErr(err)
	is.Equal(n, 131072) // what it really got: a power of two
	n, err = w.Capacity()
	is.NoErr(err)
	is.Equal(n, 131072)
	_, err = w.Write(make([]byte, 100_000))
	is.NoErr(err)
	_, err = w.SetCapacity(4096)
	is.True(errors.Is(err, syscall.EBUSY)) // it holds more
	for _, n := range []int{0, -1} {
		_, err = w.SetCapacity(n)
		is.True(err != nil)
	}
	_, err = w.SetCapacity(1 << 30)
	is.True(err == nil || errors.Is(err, os.ErrPermission)) // root may
	_, err = w.SetCapacity(math.MaxInt32)
	is.True(err != nil) // beyond what any pipe holds
	is.NoErr(w.Close())
	_, err = w.Capacity()
	is.True(errors.Is(err, os.ErrClosed))
}

func TestDetachAndAdopt(t *testing.T) {
	for name, kind := range map[string]struct {
		mode
		reader func(*os.File) (*Reader, error)
		writer func(*os.File) (*Writer, error)
	}{
		"stream": {stream, NewReader, NewWriter},
		"packet": {packetMode, NewPacketReader, NewPacketWriter},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ctx := watched(t)
			r, w := pair(t, kind.mode)
			rf, err := r.Detach()
			is.NoErr(err)
			wf, err := w.Detach()
			is.NoErr(err)
			is.True(errors.Is(w.Send(ctx, []byte("x")), os.ErrClosed)) // it is given away

			_, err = kind.reader(wf)
			is.True(errors.Is(err, syscall.EBADF)) // the wrong end
			if kind.mode == packet {
				_, err = NewWriter(wf)
				is.True(errors.Is(err, syscall.EINVAL)) // bytes would become packets
			}
			r2, err := kind.reader(rf)
			is.NoErr(err)
			defer r2.Close()
			w2, err := kind.writer(wf)
			is.NoErr(err)
			is.NoErr(w2.Send(ctx, []byte("here")))
			is.NoErr(w2.Send(ctx, []byte("there")))
			is.NoErr(w2.Close())
			for _, want := range []string{"here", "there"} {
				msg, err := r2.Recv(ctx)
				is.NoErr(err)
				is.Equal(string(msg), want)
			}
			_, err = r2.Recv(ctx)
			is.Equal(err, io.EOF)
		})
	}
}

func TestDetachRefusesWhatItWouldLose(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	is.NoErr(w.Send(ctx, []byte("one")))
	is.NoErr(w.Send(ctx, []byte("two")))
	_, err := r.Recv(ctx)
	is.NoErr(err)
	_, err = r.Detach()
	is.True(err != nil) // "two" is read ahead
	_, err = r.Recv(ctx)
	is.NoErr(err)

	waiting := make(chan error, 1)
	go func() { _, err := r.Recv(ctx); waiting <- err }()
	for r.mu.users.Load() == 0 {
		runtime.Gosched()
	}
	_, err = r.Detach()
	is.True(errors.Is(err, errBusy)) // a call waits on it
	is.NoErr(r.Close())
	is.True(errors.Is(<-waiting, os.ErrClosed))
}

func TestAdoptRefusesWhatIsNoPipe(t *testing.T) {
	is := is.New(t)
	f, err := os.CreateTemp(t.TempDir(), "")
	is.NoErr(err)
	defer f.Close()
	_, err = NewReader(f)
	is.True(errors.Is(err, ErrNotFIFO))
	_, err = f.Write([]byte("f is still the caller's"))
	is.NoErr(err)
}

// The frames of a stream that is cut at any byte: every whole one arrives, and
// the end is clean exactly where a frame ends.
func TestFramesCutAtEveryByte(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	var whole []byte
	var ends []int
	for _, n := range []int{0, 1, 5, 300, 0, 17} {
		whole = frame.Append(whole, pattern(n))
		ends = append(ends, len(whole))
	}
	for cut := 0; cut <= len(whole); cut++ {
		r, w, err := New()
		is.NoErr(err)
		_, err = w.Write(whole[:cut])
		is.NoErr(err)
		is.NoErr(w.Close())
		complete, clean := 0, cut == 0
		for _, end := range ends {
			if end <= cut {
				complete++
				clean = clean || end == cut
			}
		}
		for range complete {
			_, err := r.Recv(ctx)
			is.NoErr(err)
		}
		_, err = r.Recv(ctx)
		if clean {
			is.Equal(err, io.EOF)
		} else {
			is.True(errors.Is(err, io.ErrUnexpectedEOF))
		}
		is.NoErr(r.Close())
	}
}

// Without reading ahead, what follows a message is still in the pipe.
func TestNoReadAhead(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	r, w := pair(t, stream)
	r.NoReadAhead()
	for _, n := range []int{0, 1, 3000, 60_000} {
		is.NoErr(w.Send(ctx, pattern(n)))
		_, err := w.Write([]byte("bytes"))
		is.NoErr(err)
		msg, err := r.Recv(ctx)
		is.NoErr(err)
		is.True(bytes.Equal(msg, pattern(n)))
		rest := make([]byte, 100)
		got, err := r.Read(rest)
		is.NoErr(err)
		is.Equal(string(rest[:got]), "bytes")
	}
	is.NoErr(w.Send(ctx, []byte("one")))
	is.NoErr(w.Send(ctx, []byte("two")))
	_, err := r.Recv(ctx)
	is.NoErr(err)
	f, err := r.Detach()
	is.NoErr(err)
	next, err := NewReader(f)
	is.NoErr(err)
	defer next.Close()
	msg, err := next.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(msg), "two")
}

// FuzzFrames sends any bytes, in two writes, to a Reader and expects of it what
// a frame.Reader makes of them in memory.
func FuzzFrames(f *testing.F) {
	for _, ahead := range []bool{true, false} {
		f.Add([]byte("\x00\x00\x00\x05hello\x00\x00\x00\x00"), 3, ahead)
		f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02hi\x00\x00\x00\x00"), 7, ahead)
		f.Add([]byte("\x7f\xff\xff\xff"), 0, ahead)
		f.Add([]byte("\x80\x00\x00\x00"), 2, ahead)
	}
	f.Fuzz(func(t *testing.T, data []byte, cut int, ahead bool) {
		data = data[:min(len(data), 4096)]
		cut = min(max(cut, 0), len(data))
		ctx := context.Background()
		r, w, err := New()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if !ahead {
			r.NoReadAhead()
		}
		want := frame.NewReader(bytes.NewReader(data), 0)
		if _, err := w.Write(data[:cut]); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = w.Write(data[cut:])
			_ = w.Close()
		}()
		for {
			a, errA := r.Recv(ctx)
			b, errB := want.ReadMessage(nil)
			if !bytes.Equal(a, b) || (errA == nil) != (errB == nil) || (errA == io.EOF) != (errB == io.EOF) {
				t.Fatalf("got %q, %v; want %q, %v", a, errA, b, errB)
			}
			if errA != nil {
				return
			}
		}
	})
}

func FuzzWholeFrames(f *testing.F) {
	f.Add(3, 4092, 0)
	f.Add(2042, 2046, 1)
	f.Fuzz(func(t *testing.T, a, b, c int) {
		var p []byte
		ends := map[int]bool{}
		for _, n := range []int{a, b, c} {
			n = min(max(n, 0), MaxAtomic)
			p = frame.Append(p, make([]byte, n))
			ends[len(p)] = true
		}
		end := wholeFrames(p)
		if !ends[end] || end > pipeBuf {
			t.Fatalf("%d bytes of %v", end, ends)
		}
	})
}
