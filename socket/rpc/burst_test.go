//go:build unix

package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/socket/internal/cpu"
)

func TestBurst(t *testing.T) {
	is := is.New(t)
	var b burst
	now := time.Hour
	after := func(gap time.Duration) bool {
		now += gap
		return b.goesOn(now)
	}
	for range 3 {
		is.True(!after(burstWrite + 1)) // the first after a pause
		for range burstRow - 1 {
			is.True(!after(burstGap))
		}
		for range 3 {
			for range 2 * burstRow {
				is.True(after(burstGap))
			}
			is.True(after(burstWrite)) // it has written what was buffered
		}
		is.True(!after(burstWrite)) // and pauses
	}
}

// counting returns a server whose method /count takes messages, each with its number in
// the stream first, and how many have come in order.
func counting() (s *Server, came *atomic.Int64) {
	s, came = testServer(), new(atomic.Int64)
	s.HandleFunc("/count", func(ctx context.Context, c *Call) ([]byte, error) {
		for n := uint32(0); ; n++ {
			m, err := c.Recv(ctx)
			if err == io.EOF {
				return fmt.Append(nil, n), nil
			}
			if err != nil {
				return nil, err
			}
			if got := binary.BigEndian.Uint32(m.Data); got != n {
				return nil, fmt.Errorf("message %d came instead of %d", got, n)
			}
			m.Close()
			came.Add(1)
		}
	})
	return s, came
}

// Whatever way each message takes, and whoever else sends meanwhile, a stream keeps its
// order.
func TestBurstsKeepTheOrder(t *testing.T) {
	is := is.New(t)
	s, _ := counting()
	cl := connect(t, s)
	done := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := cl.Call(soon(t), "/echo", []byte("x")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	st, err := cl.Stream(soon(t), "/count", nil)
	is.NoErr(err)
	const messages = 20_000
	for n := range messages {
		msg := binary.BigEndian.AppendUint32(nil, uint32(n))
		switch {
		case n%997 == 0:
			msg = append(msg, make([]byte, maxCopied)...) // alone
		case n%101 == 0:
			st.out.burst = burst{} // as after a pause
		}
		var files []*os.File
		if n%3001 == 0 {
			files = []*os.File{os.Stdin}
		}
		if err := st.Send(soon(t), msg, files...); err != nil {
			t.Fatal(err)
		}
	}
	is.NoErr(st.CloseSend(soon(t)))
	_, err = st.Recv(soon(t))
	is.Equal(err, io.EOF)
	is.Equal(string(st.Reply().Data), fmt.Sprint(messages))
	close(done)
	others.Wait()
}

// inABurst sends the next n messages of a stream, so that the last one is held back.
func inABurst(t *testing.T, st *Stream, next *uint32, n int) {
	t.Helper()
	for range n {
		st.out.burst = burst{last: cpu.Clock() + time.Hour, row: 2 * burstRow} // whatever the clock says
		if err := st.Send(soon(t), binary.BigEndian.AppendUint32(nil, *next)); err != nil {
			t.Fatal(err)
		}
		*next++
	}
}

// What a burst holds back goes out although nothing follows.
func TestBurstThatPauses(t *testing.T) {
	is := is.New(t)
	s, came := counting()
	cl := connect(t, s)
	st, err := cl.Stream(soon(t), "/count", nil)
	is.NoErr(err)
	defer st.Close()
	var next uint32
	for range 20 {
		inABurst(t, st, &next, 10)
		eventually(t, "all have come", func() bool { return came.Load() == int64(next) })
	}
}

// It goes out when the sender waits for an answer, or for room, and needs nobody else
// for that.
func TestBurstBeforeAWait(t *testing.T) {
	is := is.New(t)
	cl, _, peer := clientOf(t)
	st, err := cl.Stream(soon(t), "/x", nil)
	is.NoErr(err)
	defer st.Close()
	file, err := peer.File()
	is.NoErr(err)
	defer file.Close()
	came := func() int {
		n, _, err := unix.Recvfrom(int(file.Fd()), make([]byte, 1<<16), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err != unix.EAGAIN {
			is.NoErr(err)
		}
		return max(n, 0)
	}
	eventually(t, "the call", func() bool { return came() > 0 })
	// So that no other goroutine runs in between.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	full := newOutflow()
	full.credit = 0
	var next uint32
	for name, wait := range map[string]func(){
		"for an answer": func() { _, _ = st.Recv(ended) },
		"for room":      func() { _ = full.spend(ended, 1, &st.l.wire) },
	} {
		before := came()
		inABurst(t, st, &next, 10)
		wait() // ends at once
		if now := came(); now != before+10*(prefixLen+headerLen+4) {
			t.Errorf("%s: %d bytes came", name, now-before)
		}
	}
}

// A handler's burst is all there before its reply, and many times the window goes
// through.
func TestBurstOfAHandler(t *testing.T) {
	is := is.New(t)
	s := testServer()
	const messages = 3 * initialWindow / (messageCost + 64)
	s.HandleFunc("/pour", func(ctx context.Context, c *Call) ([]byte, error) {
		for n := range messages {
			msg := bytes.Repeat([]byte{byte(n)}, 64)
			if err := c.Send(ctx, msg); err != nil {
				return nil, err
			}
		}
		return []byte("that was all"), nil
	})
	cl := connect(t, s)
	st, err := cl.Stream(soon(t), "/pour", nil)
	is.NoErr(err)
	for n := range messages {
		m, err := st.Recv(soon(t))
		is.NoErr(err)
		is.Equal(m.Data, bytes.Repeat([]byte{byte(n)}, 64))
	}
	_, err = st.Recv(soon(t))
	is.Equal(err, io.EOF)
	is.Equal(string(st.Reply().Data), "that was all")
}
