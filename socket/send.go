package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ipcctl/ipc/socket/frame"
)

// Send sends msg, and the descriptors of files with it. When it returns nil
// the kernel has all of it, and the peer gets it even if this process dies
// now. The files stay the caller's.
//
// The error wraps ErrPeerClosed when the peer has gone, ErrTooLarge or
// ErrTooManyFiles when nothing was tried, os.ErrClosed or ctx.Err(). After
// ctx.Err() the peer gets the message either not at all or whole: one that had
// begun to go out is completed all the same.
func (c *Conn) Send(ctx context.Context, msg []byte, files ...*os.File) error {
	var err error
	if len(files) == 0 {
		err = c.out.do(ctx, func(fw *frame.Writer) error { return fw.WriteMessage(msg) })
	} else {
		err = c.out.sendFiles(ctx, msg, files)
	}
	if err != nil {
		return opError("send", c.addr, err)
	}
	return nil
}

// SendBuffered takes a copy of msg and sends it soon, together with others:
// streams of small messages are many times faster than by Send. It waits only
// while the peer does not read and the kernel takes no more.
//
// Buffered messages go out in order, before the next Send, when Recv has to
// wait, by Flush, and otherwise as soon as the sender pauses, or at most a few
// milliseconds later if it had sent without a pause. Messages that have not
// gone out are lost if the process dies, and an error that their
// sending meets is returned by a later call. Errors are those of Send.
func (c *Conn) SendBuffered(ctx context.Context, msg []byte) error {
	err := c.out.buffer(ctx, msg)
	if err != nil {
		return opError("send", c.addr, err)
	}
	return nil
}

// SendFrames sends messages that the caller has put together with frame.Append:
// whole frames, each within the connection's MaxMessage, all of them with one
// write if there is room.
//
// It returns how many bytes of them the connection has taken: none or all. It
// may have taken them although there is an error that wraps ctx.Err(); then
// they go out later, in their place. Otherwise errors are those of Send.
func (c *Conn) SendFrames(ctx context.Context, frames []byte) (int, error) {
	taken := 0
	err := c.out.do(ctx, func(fw *frame.Writer) error {
		if fw.Buffered() >= maxWaiting {
			if err := fw.Flush(); err != nil {
				return err
			}
		}
		taken = len(frames)
		return fw.WriteFrames(frames)
	})
	if err != nil {
		return taken, opError("send", c.addr, err)
	}
	return taken, nil
}

// maxWaiting is how many bytes may wait for SendFrames to take more: callers
// that give up, one after the other, would leave behind any number.
const maxWaiting = 64 << 10

// Flush sends all that SendBuffered has buffered. When it returns nil, the
// kernel has it.
func (c *Conn) Flush(ctx context.Context) error {
	err := c.out.do(ctx, (*frame.Writer).Flush)
	if err != nil {
		return opError("flush", c.addr, err)
	}
	return nil
}

// TryFlush sends as much of what SendBuffered has buffered as goes out without
// waiting: for those who are about to wait for something else. It costs next to nothing
// if nothing is buffered. An error is returned by a later call.
func (c *Conn) TryFlush() { c.out.flushNow() }

// outbound is the sending half of a Conn. Whoever holds turn owns it, except
// for the atomic fields.
type outbound struct {
	turn turn
	gate gate
	c    *Conn
	fw   *frame.Writer

	// the call under way
	ctx     context.Context // nil: do not wait at all
	p, q    []byte
	long    bool   // p and q together, when the call began
	rights  []byte // control message for the first byte that goes out
	n       int
	err     error
	waiting atomic.Bool           // has had to wait for room
	attempt func(fd uintptr) bool // out.try, bound once
	spin    spinner

	sent  int64 // bytes of the stream, over the socket
	held  heldFiles
	grown bool // the kernel's buffer is as large as it gets

	// buffered is true while fw may hold messages of SendBuffered.
	buffered atomic.Bool

	ended atomic.Bool // by CloseWrite
	over  atomic.Bool // by CloseWrite or Close, which SendBuffered asks at once

	flushing bool   // flushIfPaused is on its way
	taken    uint64 // messages of SendBuffered
	writes   uint64 // times that fw wrote
	flush    func() // out.flushIfPaused, bound once
}

func (out *outbound) init(c *Conn) {
	out.c, out.spin.c = c, c
	out.turn = newTurn()
	out.gate.setDeadline = c.desc.Load().setWriteDeadline
	out.attempt = out.try
	out.flush = out.flushIfPaused
}

// do runs a call of the frame.Writer in turn.
func (out *outbound) do(ctx context.Context, call func(*frame.Writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := out.turn.lock(ctx); err != nil {
		return err
	}
	defer out.turn.unlock()
	if out.c.closed.Load() {
		return os.ErrClosed
	}
	out.ctx = ctx
	err := call(out.fw)
	out.settle()
	out.flushSoon()
	return err
}

// flushSoon sees to it that what is buffered goes out, if something is.
// Precondition: the caller has the turn.
func (out *outbound) flushSoon() {
	if !out.flushing && out.buffered.Load() {
		out.flushing = true
		go out.flush()
	}
}

const (
	flushLooks = 4
	flushPause = time.Millisecond
)

// flushIfPaused sends what is buffered once the sender pauses. A sender that
// doesn't fills the buffer and sends it by itself; to take the turn from it in
// between, and a CPU from its peer, would cost it more than many messages. So
// it is looked at a few times in a row, for those who send a handful, and then
// once in a while. Nothing stays buffered from one such look to the one after
// the next: by then it has gone with a full buffer, or goes now.
func (out *outbound) flushIfPaused() {
	var taken, writes uint64
	for look := 0; ; look++ {
		if look <= flushLooks {
			runtime.Gosched()
		} else {
			time.Sleep(flushPause)
		}
		_ = out.turn.lock(context.Background())
		paused := out.taken == taken
		if look > flushLooks {
			paused = out.writes == writes
		}
		taken, writes = out.taken, out.writes
		if !out.buffered.Load() || out.c.closed.Load() {
			break
		}
		if paused {
			out.ctx = context.Background()
			_ = out.fw.Flush() // a later call meets the error again
			out.settle()
			break
		}
		out.turn.unlock()
	}
	out.flushing = false
	out.turn.unlock()
}

// settle ends a call. Precondition: the caller has the turn.
func (out *outbound) settle() {
	out.ctx = nil
	if out.waiting.Load() {
		out.waiting.Store(false)
		out.gate.release()
	}
	out.c.moveToBells(&out.spin, &out.c.in.turn)
	out.noteBuffered()
}

// noteBuffered keeps buffered true to fw. A store is far dearer than a load,
// and most calls change nothing. Precondition: the caller has the turn.
func (out *outbound) noteBuffered() {
	if b := out.fw.Buffered() > 0; b != out.buffered.Load() {
		out.buffered.Store(b)
	}
}

// buffer is SendBuffered.
func (out *outbound) buffer(ctx context.Context, msg []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !out.turn.tryLock() {
		if err := out.turn.lock(ctx); err != nil {
			return err
		}
	}
	if out.over.Load() {
		out.turn.unlock()
		if out.c.closed.Load() {
			return os.ErrClosed
		}
		return errEnded
	}
	out.taken++
	var err error
	if !out.fw.TryBuffer(msg) { // seldom
		out.ctx = ctx
		err = out.fw.BufferMessage(msg)
		out.settle()
	} else if !out.buffered.Load() {
		out.buffered.Store(true)
	}
	if !out.flushing {
		out.flushSoon()
	}
	out.turn.unlock()
	return err
}

// flushNow sends as much of what is buffered as goes out without waiting.
func (out *outbound) flushNow() {
	if out.buffered.Load() && out.turn.tryLock() {
		out.flushInTurn()
	}
}

// flushInTurn is the rest of flushNow. It lets go of the turn.
func (out *outbound) flushInTurn() {
	out.ctx = nil
	_ = out.fw.Flush()
	out.settle()
	out.turn.unlock()
}

// flushLast is flushNow for Close. Whoever has the turn now may have it for a
// look alone, so it is waited for, unless there is no room in the kernel.
func (out *outbound) flushLast() {
	for out.buffered.Load() && !out.waiting.Load() {
		if out.turn.tryLock() {
			out.flushInTurn()
			return
		}
		runtime.Gosched()
	}
}

// Write makes out the stream that the frame.Writer writes.
func (out *outbound) Write(p []byte) (int, error) { return out.WriteVector(p, nil) }

// WriteVector writes p and then q, in one sendmsg if there is room. It waits
// for room, no longer than the call's context allows.
func (out *outbound) WriteVector(p, q []byte) (int, error) {
	out.writes++
	if s := out.c.shared.Load(); s != nil {
		return out.writeShared(s, p, q)
	}
	n, err := out.writeSocket(p, q)
	out.sent += int64(n)
	return n, err
}

// writeSocket is WriteVector by the socket.
func (out *outbound) writeSocket(p, q []byte) (int, error) {
	out.long = len(p)+len(q) >= longMessage
	done := 0
	for done < len(p)+len(q) {
		if done < len(p) {
			out.p, out.q = p[done:], q
		} else {
			out.p, out.q = q[done-len(p):], nil
		}
		err := out.c.desc.Load().write(out.attempt)
		out.spin.woken()
		if err != nil {
			if err = out.interrupted(err); err == nil {
				continue
			}
		} else if err = out.err; err == nil {
			done += out.n
			continue
		}
		out.p, out.q = nil, nil
		return done, out.cause(err)
	}
	out.p, out.q = nil, nil
	return done, nil
}

var errEnded = fmt.Errorf("after CloseWrite: %w", os.ErrClosed)

// cause is Conn.cause for a write: after CloseWrite the broken pipe is ours.
func (out *outbound) cause(err error) error {
	if err == syscall.EPIPE && out.ended.Load() {
		return errEnded
	}
	return out.c.cause(err)
}

// interrupted says why a wait ended without room to write; nil means that an
// earlier call's deadline did it, which is now cleared.
func (out *outbound) interrupted(err error) error {
	if out.c.closed.Load() {
		return os.ErrClosed
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	ctx := out.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	out.waiting.Store(true)
	out.gate.watch(ctx, time.Time{})
	return nil
}

// growWriteBuffer is what a connection asks for, in bytes, when the system's default is
// full of much that it sends: with that of Linux, 208 KiB, the two sides wait for each
// other more often. Others don't need it, and a peer that reads nothing holds no more.
const growWriteBuffer = 512 << 10

// try writes once, and prepares to wait if there is no room.
func (out *outbound) try(fd uintptr) bool {
	out.send(int(fd))
	if out.err == syscall.EAGAIN && out.long && !out.grown {
		out.grown = true
		sysGrowWriteBuffer(int(fd), growWriteBuffer)
		out.send(int(fd))
	}
	if out.err != syscall.EAGAIN || out.ctx == nil || out.poll(fd) {
		return true
	}
	if !out.waiting.Load() {
		out.waiting.Store(true)
		out.gate.watch(out.ctx, time.Time{})
	}
	return false
}

// send writes once without waiting.
func (out *outbound) send(fd int) {
	if out.c.hot.Load() {
		out.n, out.err = sysSendHot(fd, out.p, out.q, out.rights)
	} else {
		out.n, out.err = sysSend(fd, out.p, out.q, out.rights)
	}
	if out.err == nil {
		out.rights = nil
	}
}

// poll spins for a while if what is written is long: then the peer is reading, as
// a rule.
func (out *outbound) poll(fd uintptr) bool {
	if !out.long || out.c.spin.Load() < 0 {
		return false
	}
	if budget := out.spin.rest(); budget > 0 && out.spin.poll(budget, func() bool {
		out.send(int(fd))
		return out.err != syscall.EAGAIN
	}) {
		return true
	}
	out.spin.sleeps()
	return false
}
