//go:build linux && !ipcportable

package pipe

import (
	"context"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// openBeforeWriter opens path for reading and waits for a writer.
func openBeforeWriter(ctx context.Context, path string, id fileID) (int, []byte, error) {
	fd, err := openWaiting(ctx, path, unix.O_RDONLY, id)
	return fd, nil, err
}

// openBeforeReader opens path for writing and waits for a reader. One that came
// and left while the open was under way doesn't count.
func openBeforeReader(ctx context.Context, path string, id fileID) (int, error) {
	for { // ends: a reader stays, an error, ctx
		fd, err := openWaiting(ctx, path, unix.O_WRONLY, id)
		if err != nil || pollNow(fd, unix.POLLOUT)&unix.POLLERR == 0 {
			return fd, err
		}
		_ = unix.Close(fd)
	}
}

// openWaiting is a blocking open(2) of a FIFO that ends with ctx.
//
// A descriptor that only names the file (O_PATH) is held meanwhile: it shows a
// waiting process in /proc to whoever asks if the FIFO is in use.
func openWaiting(ctx context.Context, path string, flags int, id fileID) (int, error) {
	mark, err := openOnce(path, unix.O_PATH, id)
	if err != nil {
		return -1, err
	}
	defer unix.Close(mark)
	if ctx.Done() == nil {
		return openOnce(path, flags, id)
	}
	fd, err := newOpening(path).open(ctx, flags)
	if err != nil {
		return -1, err
	}
	return verified(fd, id)
}

// opening is an open(2) that may block and can be called off.
//
// open(2) on a FIFO sleeps until the other end is opened, and closing or
// signalling can't stop it: Go's signal handlers all have SA_RESTART, so the
// kernel starts the call again. But it starts it from the arguments, and reads
// the path anew. So calling it off is: make the path empty, then interrupt the
// thread. Wherever the thread is at that moment, the open now fails with ENOENT,
// unless it has succeeded already. No other process notices.
//
//	path   "/run/x.fifo\0"  ->  "\0run/x.fifo\0"
type opening struct {
	path []byte // NUL-terminated; the kernel reads it, and reads it again

	mu     sync.Mutex
	thread int // that is in open(2), 0 before and after
}

func newOpening(path string) *opening {
	return &opening{path: append([]byte(path), 0)}
}

// open runs the call on a thread of its own and waits for it, or calls it off
// when ctx ends and then waits for it.
func (o *opening) open(ctx context.Context, flags int) (int, error) {
	type result struct {
		fd  int
		err error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		fd, err := o.run(flags)
		done <- result{fd, err}
	}()
	stop := context.AfterFunc(ctx, o.callOff)
	res := <-done
	if !stop() && res.err != nil {
		return -1, ctx.Err()
	}
	return res.fd, os.NewSyscallError("open", res.err)
}

func (o *opening) run(flags int) (int, error) {
	o.mu.Lock()
	o.thread = unix.Gettid()
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		o.thread = 0
		o.mu.Unlock()
	}()
	for { // ends: only a signal is a reason to try again
		fd, err := openPath(o.path, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// callOff ends the open. The signal is the one that Go's scheduler interrupts
// threads with, so it means nothing to the program, and thread is a thread of
// ours as long as the lock is held.
func (o *opening) callOff() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.path[0] = 0
	if o.thread != 0 {
		_ = unix.Tgkill(unix.Getpid(), o.thread, unix.SIGURG) // fails for no thread that is in open(2)
	}
}
