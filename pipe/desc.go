//go:build unix

package pipe

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// desc is one end of a pipe: a non-blocking descriptor on the runtime's poller.
//
// It runs one transfer at a time, under its owner's lock. The arguments and
// results of that transfer live here, and step is bound once, so that a call
// allocates nothing unless it has to wait under a context that can end.
type desc struct {
	name     string // what errors call it: a path, or "" for an anonymous pipe
	file     *os.File
	fd       int                                   // of file; see quick
	once     func(fd int, buf []byte) (int, error) // read(2) or write(2)
	whole    bool                                  // a transfer moves all of its bytes
	closed   atomic.Bool
	sized    atomic.Bool                            // the capacity was chosen, or is what it can be
	do       func(step func(fd uintptr) bool) error // RawConn.Read or .Write
	step     func(fd uintptr) bool
	deadline func(time.Time) error
	relay    atomic.Pointer[context.CancelFunc] // ends the Relay that is under way

	buf   []byte
	tail  []byte // what is written after buf, as if it were one with it
	n     int
	err   error
	wait  bool   // park until the descriptor is ready; otherwise report EAGAIN
	brief bool   // don't wait at all: report EAGAIN
	slow  bool   // the last transfer had to wait
	stay  bool   // no writer is no end: park until the next one comes
	none  bool   // the last read found no writer
	head  []byte // bytes that were read while waiting for the first writer
}

func newReadDesc(f *os.File, name string) (*desc, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &desc{name: name, file: f, once: unix.Read, do: raw.Read, deadline: f.SetReadDeadline}
	d.step = d.readStep
	return d, raw.Control(func(fd uintptr) { d.fd = int(fd) })
}

func newWriteDesc(f *os.File, name string) (*desc, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &desc{name: name, file: f, once: unix.Write, whole: true, do: raw.Write, deadline: f.SetWriteDeadline}
	d.step = d.writeStep
	return d, raw.Control(func(fd uintptr) { d.fd = int(fd) })
}

// readStep reads once. It returns false to be called again when the descriptor
// is ready.
func (d *desc) readStep(fd uintptr) bool {
	for { // ends: a signal interrupts a read only before it has begun
		n, err := unix.Read(int(fd), d.buf)
		if err == unix.EINTR {
			continue
		}
		d.none = n == 0 && err == nil && len(d.buf) > 0
		switch {
		case err == unix.EAGAIN:
			d.err, d.slow = unix.EAGAIN, true
			return !d.wait
		case d.none && d.stay:
			d.err, d.slow = unix.EAGAIN, true
			return !d.wait || !pollerSeesWriters
		}
		d.n, d.err = max(n, 0), err
		return true
	}
}

// writeStep writes until everything is out or the pipe is full.
func (d *desc) writeStep(fd uintptr) bool {
	for { // ends: every round writes something, waits or fails
		n, err := d.writeOnce(int(fd))
		if n > 0 {
			d.n += n
		}
		switch {
		case err == unix.EINTR, err == unix.EAGAIN && d.growFull(int(fd)):
			continue
		case err == unix.EAGAIN:
			d.err, d.slow = unix.EAGAIN, true
			return !d.wait
		case err != nil || d.n == len(d.buf)+len(d.tail):
			d.err = err
			return true
		}
	}
}

// writeOnce writes what it can of the rest.
func (d *desc) writeOnce(fd int) (int, error) {
	if d.n < len(d.buf) {
		return unix.Write(fd, d.buf[d.n:])
	}
	return unix.Write(fd, d.tail[d.n-len(d.buf):])
}

// transfer reads once into buf, or writes all of buf, and returns how many
// bytes moved. A read that finds the end returns io.EOF. It waits no longer
// than ctx.
func (d *desc) transfer(ctx context.Context, buf []byte) (int, error) {
	if len(d.head) > 0 {
		n := copy(buf, d.head)
		d.head = d.head[n:]
		return n, nil
	}
	n := d.quick(ctx, buf)
	if n == len(buf) || n > 0 && !d.whole {
		d.none = false
		return n, nil
	}
	return d.move(ctx, buf, nil, n)
}

// transferBoth writes p and q as if they were one.
func (d *desc) transferBoth(ctx context.Context, p, q []byte) (int, error) {
	return d.move(ctx, p, q, 0)
}

// move is transfer of buf and tail, of which n bytes have moved.
func (d *desc) move(ctx context.Context, buf, tail []byte, n int) (int, error) {
	if d.shut() {
		return n, os.ErrClosed
	}
	d.buf, d.tail, d.n, d.err = buf, tail, n, nil
	err := d.run(ctx)
	d.buf, d.tail = nil, nil
	switch {
	case err == nil && d.err != nil:
		err = d.err
	case err == nil && d.none:
		err = io.EOF
	}
	if err != nil && d.closed.Load() {
		err = os.ErrClosed
	}
	return d.n, err
}

func (d *desc) run(ctx context.Context) error {
	switch {
	case d.brief:
		d.wait = false
		return d.do(d.step)
	case ctx.Done() == nil:
		d.wait = true
		return d.park(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.wait = false
	if err := d.do(d.step); err != nil || d.err != unix.EAGAIN {
		return err
	}
	d.wait = true
	restore := interrupt(ctx, d.deadline)
	defer restore()
	err := d.park(ctx)
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		err = ctx.Err()
	}
	return err
}

// quick tries once without the poller, and returns how many bytes moved. That
// spares the poller's own lock. After a transfer that had to wait it would cost
// a system call more than it spares, so then the poller is asked at once.
//
// The descriptor stays open meanwhile: whoever closes it takes the owner's lock
// first, except under a Relay, where nothing is quick.
func (d *desc) quick(ctx context.Context, buf []byte) int {
	if d.slow || d.relay.Load() != nil || d.shut() || ctx.Err() != nil {
		d.slow = false
		return 0
	}
	n, _ := d.once(d.fd, buf) // move meets the error again
	return max(n, 0)
}

// shut reports whether a call comes too late. The deadline that halt sets ends
// those that wait; one that begins later can't count on it, since a call whose
// context ends at that moment takes the deadline back.
func (d *desc) shut() bool { return d.closed.Load() && !d.brief }

// halt makes calls that wait on d, and those that come, return os.ErrClosed.
// It reports whether d was open. A Relay that has d's owner locked may be
// waiting elsewhere: then relayed is true, and the lock is not to be waited for.
func (d *desc) halt() (open, relayed bool) {
	if d.closed.Swap(true) {
		return false, false
	}
	if cancel := d.relay.Load(); cancel != nil {
		(*cancel)()
		relayed = true
	}
	_ = d.deadline(longAgo)
	return true, relayed
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// interrupt makes the end of ctx the deadline that set sets. restore must be
// called when the operation is over; no deadline remains after it.
func interrupt(ctx context.Context, set func(time.Time) error) (restore func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = set(longAgo) // fails only once closed, and then nobody waits
		close(done)
	})
	return func() {
		if !stop() {
			<-done
			_ = set(time.Time{})
		}
	}
}

// nonblock wraps fd, which it takes over, as a file on the runtime's poller.
func nonblock(fd int, name string) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// pollNow returns what poll(2) says about fd at this moment.
func pollNow(fd int, events int16) int16 {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for { // ends: only a signal is a reason to ask again
		if _, err := unix.Poll(fds, 0); err != unix.EINTR {
			return fds[0].Revents
		}
	}
}
