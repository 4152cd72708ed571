package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ipcctl/ipc/pipe"
	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/shm"
	"github.com/ipcctl/ipc/socket"
	"golang.org/x/sys/unix"
)

var shmObject = &object{
	create: func(j *Job) (func() error, error) { return closer(shm.Create(j.Name, j.Size, nil)) },
	open:   func(j *Job) (func() error, error) { return closer(shm.Open(j.Name, nil)) },
	remove: func(j *Job) error { return shm.Remove(j.Name) },
}

var queueObject = &object{
	create: func(j *Job) (func() error, error) {
		return closer(queue.Create(j.Name, &queue.Options{Capacity: 16, MaxMessage: j.Size / 16}))
	},
	open:   func(j *Job) (func() error, error) { return closer(queue.Open(j.Name, nil)) },
	remove: func(j *Job) error { return queue.Remove(j.Name) },
}

// fileObject is what shared memory takes at least.
var fileObject = &object{
	create: func(j *Job) (func() error, error) {
		f, err := os.OpenFile(memoryPath(j), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		if err := f.Truncate(int64(j.Size)); err != nil {
			return nil, err
		}
		return mapped(f, j.Size)
	},
	open: func(j *Job) (func() error, error) {
		f, err := os.OpenFile(memoryPath(j), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		return mapped(f, j.Size)
	},
	remove: func(j *Job) error { return os.Remove(memoryPath(j)) },
}

func memoryPath(j *Job) string {
	if _, err := os.Stat("/dev/shm"); err != nil {
		return filepath.Join(j.Dir, j.Name)
	}
	return filepath.Join("/dev/shm", j.Name)
}

// mapped maps f and returns how to let go of both.
func mapped(f *os.File, size int) (func() error, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(unix.Munmap(mem), f.Close()) }, nil
}

// socketObject is a listener; opening it is a connection, until both sides
// have it.
func socketObject() *object {
	var l *socket.Listener
	return &object{
		create: func(j *Job) (_ func() error, err error) {
			l, err = socket.Listen(socketPath(j), nil)
			return closer(l, err)
		},
		open: func(j *Job) (func() error, error) {
			near, err := socket.Dial(ctx, socketPath(j), nil)
			if err != nil {
				return nil, err
			}
			far, err := l.Accept(ctx)
			return closeBoth(near, far), err
		},
	}
}

func netObject() *object {
	var l net.Listener
	return &object{
		create: func(j *Job) (_ func() error, err error) {
			l, err = net.Listen("unix", socketPath(j))
			return closer(l, err)
		},
		open: func(j *Job) (func() error, error) {
			near, err := net.Dial("unix", socketPath(j))
			if err != nil {
				return nil, err
			}
			far, err := l.Accept()
			return closeBoth(near, far), err
		},
	}
}

// fifoObject is a FIFO; opening it is its read end and its write end.
func fifoObject() *object {
	var f *pipe.FIFO
	return &object{
		create: func(j *Job) (_ func() error, err error) {
			f, err = pipe.Create(socketPath(j), nil)
			return nothingToClose, err
		},
		open: func(*Job) (func() error, error) {
			r, err := pipe.OpenReader(ctx, f.Path(), &pipe.ReaderOptions{Persistent: true})
			if err != nil {
				return nil, err
			}
			w, err := pipe.OpenWriter(ctx, f.Path(), nil)
			return closeBoth(r, w), err
		},
		remove: func(*Job) error { return f.Remove() },
	}
}

// mkfifoObject is the same by hand.
var mkfifoObject = &object{
	create: func(j *Job) (func() error, error) { return nothingToClose, unix.Mkfifo(socketPath(j), 0o600) },
	open: func(j *Job) (func() error, error) {
		r, err := os.OpenFile(socketPath(j), os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		w, err := os.OpenFile(socketPath(j), os.O_WRONLY, 0)
		return closeBoth(r, w), err
	},
	remove: func(j *Job) error { return os.Remove(socketPath(j)) },
}

var pairObject = &object{create: func(*Job) (func() error, error) {
	a, b, err := socket.Pair()
	return closeBoth(a, b), err
}}

var pipeObject = &object{create: func(*Job) (func() error, error) {
	r, w, err := pipe.New()
	return closeBoth(r, w), err
}}

var osPipeObject = &object{create: func(*Job) (func() error, error) {
	r, w, err := os.Pipe()
	return closeBoth(r, w), err
}}

type closes interface{ Close() error }

func nothingToClose() error { return nil }

func closer(c closes, err error) (func() error, error) {
	if err != nil {
		return nil, err
	}
	return c.Close, nil
}

func closeBoth(a, b closes) func() error {
	return func() error { return errors.Join(a.Close(), b.Close()) }
}
