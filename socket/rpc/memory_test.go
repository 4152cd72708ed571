//go:build unix

package rpc

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

	"github.com/matryer/is"
)

// reusingServer echoes, and gives the memory of requests back.
func reusingServer() *Server {
	s := &Server{}
	s.HandleFunc("/echo", func(_ context.Context, c *Call) ([]byte, error) {
		c.ReuseData()
		return c.Data, nil
	})
	s.HandleFunc("/fail", func(_ context.Context, c *Call) ([]byte, error) {
		c.ReuseData()
		return nil, errors.New("this text is longer than nothing")
	})
	return s
}

// Whatever memory goes round, each call has its own bytes, at any length, alone and
// among others.
func TestReusedMemory(t *testing.T) {
	cl := connect(t, reusingServer())
	ctx := soon(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			buf := make([]byte, 200<<10)
			for i := range 60 {
				n := 1 + (i*7919+g*104729)%(300<<10)
				req := bytes.Repeat([]byte{byte(1 + i + 60*g)}, n)
				r, err := cl.Do(ctx, &Request{Method: "/echo", Data: req, Buffer: buf})
				if err != nil {
					t.Error(err)
					return
				}
				if !bytes.Equal(r.Data, req) {
					t.Errorf("a call of %d bytes got other bytes, or %d of them", n, len(r.Data))
				}
				if inBuffer := &r.Data[0] == &buf[0]; inBuffer != (n <= len(buf)) {
					t.Errorf("a reply of %d bytes is in a buffer of %d: %v", n, len(buf), inBuffer)
				}
			}
		})
	}
	wg.Wait()
}

// A long call whose memory goes round allocates less than one message, on both sides
// together. What it allocates is what sync.Pool has dropped: of the frames it sends.
func TestReuseSparesAllocations(t *testing.T) {
	is := is.New(t)
	cl := connect(t, reusingServer())
	ctx := soon(t)
	const long, calls = 512 << 10, 50
	req := &Request{Method: "/echo", Data: make([]byte, long), Buffer: make([]byte, long)}
	call := func() {
		_, err := cl.Do(ctx, req)
		is.NoErr(err)
	}
	for range 10 {
		call()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		call()
	}
	runtime.ReadMemStats(&after)
	if perCall := (after.TotalAlloc - before.TotalAlloc) / calls; perCall > long {
		t.Errorf("%d bytes allocated for a call of %d each way", perCall, long)
	}
}

// A buffer is for the data of a reply that came, and not for the text of an error,
// nor for a reply to a call that was given up.
func TestBufferIsTheCallers(t *testing.T) {
	is := is.New(t)
	s := reusingServer()
	begun, gone := make(chan struct{}), make(chan struct{})
	s.HandleFunc("/late", func(_ context.Context, c *Call) ([]byte, error) {
		close(begun)
		<-gone
		return bytes.Repeat([]byte("late"), 10), nil
	})
	cl := connect(t, s)
	buf := bytes.Repeat([]byte("mine"), 20)
	want := bytes.Clone(buf)
	_, err := cl.Do(soon(t), &Request{Method: "/fail", Buffer: buf})
	is.True(err != nil)
	is.Equal(buf, want)

	ctx, cancel := context.WithCancel(soon(t))
	go func() { <-begun; cancel() }()
	_, err = cl.Do(ctx, &Request{Method: "/late", Buffer: buf})
	is.True(errors.Is(err, context.Canceled))
	close(gone)
	got, err := cl.Call(soon(t), "/echo", []byte("after")) // the late reply came before
	is.NoErr(err)
	is.Equal(string(got), "after")
	is.Equal(buf, want)

	r, err := cl.Do(soon(t), &Request{Method: "/echo", Data: []byte("in it"), Buffer: buf})
	is.NoErr(err)
	is.Equal(string(r.Data), "in it")
	is.Equal(string(buf[:5]), "in it")
}

// Memory that was another's shows nothing of what was in it.
func TestReusedMemoryIsClipped(t *testing.T) {
	is := is.New(t)
	s := reusingServer()
	s.HandleFunc("/beyond", func(_ context.Context, c *Call) ([]byte, error) {
		beyond := cap(c.Data) - len(c.Data)
		c.ReuseData()
		return fmt.Append(nil, beyond), nil
	})
	cl := connect(t, s)
	for range 20 {
		_, err := cl.Do(soon(t), &Request{Method: "/echo", Data: make([]byte, 60<<10), Buffer: make([]byte, 60<<10)})
		is.NoErr(err)
		got, err := cl.Call(soon(t), "/beyond", make([]byte, 40<<10))
		is.NoErr(err)
		is.Equal(string(got), "0")
		r, err := cl.Do(soon(t), &Request{Method: "/echo", Data: make([]byte, 40<<10)})
		is.NoErr(err)
		is.Equal(cap(r.Data), len(r.Data))
	}
}

// What is much longer than a message stays, what is too short too, and the oldest of
// what is kept makes room for the latest.
func TestFreeMemory(t *testing.T) {
	is := is.New(t)
	var f memory
	for _, n := range []int{0, leastReused - 1, mostReused + 1} {
		f.give(make([]byte, n))
		is.True(f.take(n) == nil)
	}
	f.give(make([]byte, 64<<10))
	is.True(f.take(64<<10+1) == nil)
	is.True(f.take(32<<10-1) == nil)
	is.Equal(cap(f.take(32<<10)), 64<<10)
	is.True(f.take(32<<10) == nil)

	for i := range maxFree + 2 {
		f.give(make([]byte, leastReused<<(2*min(i, 2))+i))
	}
	is.True(f.take(leastReused) == nil) // the first two
	is.True(f.take(leastReused<<2) == nil)
	for range maxFree {
		is.True(f.take(leastReused<<4) != nil)
	}
	is.True(f.take(leastReused<<4) == nil)
}

// Messages of a stream go to the buffer that is brought along, and each has its own
// bytes; what does not fit has memory of its own.
func TestStreamIntoABuffer(t *testing.T) {
	is := is.New(t)
	s := testServer()
	s.HandleFunc("/back", func(ctx context.Context, c *Call) ([]byte, error) {
		buf := make([]byte, 100<<10)
		for {
			m, err := c.RecvInto(ctx, buf)
			if err == io.EOF {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			if fits := len(m.Data) <= len(buf); fits && len(m.Data) > 0 && &m.Data[0] != &buf[0] {
				return nil, fmt.Errorf("%d bytes had memory of their own", len(m.Data))
			}
			if err := c.Send(ctx, m.Data, m.Files...); err != nil {
				return nil, err
			}
			m.Close()
		}
	})
	st, err := connect(t, s).Stream(soon(t), "/back", nil)
	is.NoErr(err)
	defer st.Close()
	buf := make([]byte, 0, 50<<10)
	for i, n := range []int{0, 1, 60 << 10, 20 << 10, 50 << 10, 200 << 10, 20 << 10, 1 << 19, 3} {
		want := bytes.Repeat([]byte{byte(i + 1)}, n)
		is.NoErr(st.Send(soon(t), want, os.Stdin))
		m, err := st.RecvInto(soon(t), buf)
		is.NoErr(err)
		is.Equal(m.Data, want)
		is.Equal(len(m.Files), 1)
		is.NoErr(m.Close())
		if n > 0 {
			is.Equal(&m.Data[0] == &buf[:1][0], n <= cap(buf))
		}
	}
}
