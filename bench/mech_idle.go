package main

import (
	"bufio"
	"net"
	"os"
	"runtime"

	"github.com/ipcctl/ipc/pipe"
	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/socket"
	"golang.org/x/sys/unix"
)

// Each of these makes an object that has been used, and that nobody uses now.

func idleSocket() (any, error) {
	a, b, err := socket.Pair()
	if err != nil {
		return nil, err
	}
	msg := make([]byte, 64)
	for _, way := range [][2]*socket.Conn{{a, b}, {b, a}} {
		if err := way[0].Send(ctx, msg); err != nil {
			return nil, err
		}
		if _, err := way[1].RecvInto(ctx, msg); err != nil {
			return nil, err
		}
	}
	return halves{a, b}, nil
}

func idleNet() (any, error) {
	a, b, err := netPair()
	if err != nil {
		return nil, err
	}
	r, s := bufio.NewReader(a), bufio.NewReader(b)
	msg, frame := make([]byte, 64), make([]byte, 4+64)
	for _, way := range []struct {
		w *net.UnixConn
		r *bufio.Reader
	}{{a, s}, {b, r}} {
		if err := prefixed(way.w, len(msg))(msg); err != nil {
			return nil, err
		}
		if _, err := readPrefixed(way.r, frame); err != nil {
			return nil, err
		}
	}
	return halves{[]any{a, r}, []any{b, s}}, nil
}

func idlePipe() (any, error) {
	r, w, err := pipe.New()
	if err != nil {
		return nil, err
	}
	msg := make([]byte, 64)
	if err := w.Send(ctx, msg); err != nil {
		return nil, err
	}
	_, err = r.RecvInto(ctx, msg)
	return []any{r, w}, err
}

func idleOSPipe() (any, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	msg, frame := make([]byte, 64), make([]byte, 4+64)
	if err := prefixed(w, len(msg))(msg); err != nil {
		return nil, err
	}
	from := bufio.NewReader(r)
	_, err = readPrefixed(from, frame)
	return []any{from, w}, err
}

// idleShm is a segment of a page, which has been written.
func idleShm() (any, error) {
	r, err := shm.Anonymous(os.Getpagesize(), nil)
	if err != nil {
		return nil, err
	}
	_, err = r.WriteAt(make([]byte, 64), 0)
	return r, err
}

func idleQueue() (any, error) {
	q, err := queue.Anonymous(&queue.Options{Capacity: 16, MaxMessage: 64})
	if err != nil {
		return nil, err
	}
	if err := q.Put(ctx, make([]byte, 64)); err != nil {
		return nil, err
	}
	_, err = q.Get(ctx)
	return q, err
}

// halves are two objects made at once.
type halves [2]any

// weigh returns what each of n objects takes of the process: resident memory,
// and the runtime's heap and stacks if those say more. What the kernel keeps
// for a descriptor is not in it.
func weigh(make_ func() (any, error), n int) (Result, error) {
	raiseDescriptors()
	first, err := make_() // what is made once for all
	if err != nil {
		return Result{}, err
	}
	objects := make([]any, 0, n)
	heap, resident, count := heapBytes(), residentBytes(), mallocs()
	for len(objects) < n {
		o, err := make_()
		if err != nil {
			return Result{}, err
		}
		objects = append(objects, o)
	}
	count = mallocs() - count
	used := max(heapBytes()-heap, residentBytes()-resident)
	share := float64(n)
	if _, ok := first.(halves); ok {
		share *= 2
	}
	runtime.KeepAlive(objects)
	return Result{Bytes: float64(used) / share, Allocs: float64(count) / share, Count: int64(share)}, nil
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// raiseDescriptors allows this process as many descriptors as it may have. If
// they don't do, making the objects fails.
func raiseDescriptors() {
	const plenty = 100_000
	limit := unix.Rlimit{Cur: plenty, Max: plenty}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		return // root may
	}
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
}
