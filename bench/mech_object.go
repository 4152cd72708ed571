package main

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/pipe"
	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/socket"
	"golang.org/x/sys/unix"
)

// Each of these makes an object and removes it, again and again.

func shmObject(j *Job) (func() error, error) {
	return func() error {
		r, err := shm.Create(j.Name, j.Size, nil)
		if err != nil {
			return err
		}
		if err := r.Close(); err != nil {
			return err
		}
		return shm.Remove(j.Name)
	}, nil
}

func queueObject(j *Job) (func() error, error) {
	o := &queue.Options{Capacity: 16, MaxMessage: 4 << 10}
	return func() error {
		q, err := queue.Create(j.Name, o)
		if err != nil {
			return err
		}
		if err := q.Close(); err != nil {
			return err
		}
		return queue.Remove(j.Name)
	}, nil
}

// fileObject is what making shared memory takes at least.
func fileObject(j *Job) (func() error, error) {
	dir := "/dev/shm"
	if _, err := os.Stat(dir); err != nil {
		dir = j.Dir
	}
	path := filepath.Join(dir, j.Name)
	return func() error {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		defer os.Remove(path)
		if err := f.Truncate(int64(j.Size)); err != nil {
			return err
		}
		mem, err := unix.Mmap(int(f.Fd()), 0, j.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		return unix.Munmap(mem)
	}, nil
}

func socketObject(j *Job) (func() error, error) {
	return func() error {
		l, err := socket.Listen(socketPath(j), nil)
		if err != nil {
			return err
		}
		return l.Close()
	}, nil
}

func netObject(j *Job) (func() error, error) {
	return func() error {
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return err
		}
		return l.Close()
	}, nil
}

func pairObject(*Job) (func() error, error) {
	return func() error {
		a, b, err := socket.Pair()
		if err != nil {
			return err
		}
		if err := a.Close(); err != nil {
			return err
		}
		return b.Close()
	}, nil
}

func pipeObject(*Job) (func() error, error) {
	return func() error {
		r, w, err := pipe.New()
		if err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		return r.Close()
	}, nil
}

func osPipeObject(*Job) (func() error, error) {
	return func() error {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		return r.Close()
	}, nil
}

// netPair is two ends of a connection.
func netPair() (a, b *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		if err != nil {
			return nil, nil, err
		}
		f.Close()
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1], nil
}

func aclPeer(*Job) (func() error, error) {
	a, b, err := netPair()
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := acl.PeerOf(a)
		runtime.KeepAlive(b)
		return err
	}, nil
}

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
	frame := make([]byte, 4+64)
	for _, way := range []struct {
		w *net.UnixConn
		r *bufio.Reader
	}{{a, s}, {b, r}} {
		if err := writePrefixed(way.w, frame); err != nil {
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
	frame := make([]byte, 4+64)
	if err := writePrefixed(w, frame); err != nil {
		return nil, err
	}
	_, err = readPrefixed(r, frame)
	return []any{r, w}, err
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
	limit := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) // then making them fails
	}
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
