package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/ipcctl/ipc/socket/frame"
)

// Message is what Recv returns.
type Message struct {
	// Data is the message. It belongs to the caller.
	Data []byte

	// Files are the descriptors that came with it, close-on-exec. They belong
	// to the caller, who closes them.
	Files []*os.File
}

// Close closes the message's files.
func (m *Message) Close() error {
	err := closeFiles(m.Files)
	m.Files = nil
	return err
}

// Recv returns the next message, in memory of its own.
//
// The error is io.EOF, as it is, when the peer has closed between two
// messages. It wraps ErrTruncated when the peer closed inside one,
// ErrPeerClosed when it closed without reading all that we sent, ErrTooLarge
// or ErrTooManyFiles when it exceeded a limit, EMFILE when this process had no
// descriptor left for one that came: after any of these nothing more can be
// received. It wraps ErrTimeout, os.ErrClosed or ctx.Err() when the
// wait ended; what has come of a message by then is kept for the next call.
func (c *Conn) Recv(ctx context.Context) (Message, error) {
	return c.RecvInto(ctx, nil)
}

// RecvInto is Recv into the capacity of buf, if the message fits there; if not
// it allocates. With a sufficient buf it allocates nothing.
func (c *Conn) RecvInto(ctx context.Context, buf []byte) (m Message, err error) {
	in := &c.in
	if err = ctx.Err(); err == nil && !in.turn.tryLock() {
		err = in.turn.lock(ctx)
	}
	if err != nil {
		return m, opError("recv", c.addr, err)
	}
	var here bool
	if len(in.batches) == 0 && in.failed == nil {
		// In a stream of short messages, nearly always.
		m.Data, here = in.fr.TryBuffered(buf)
		if !here {
			if n, short := in.fr.Next(); short && n < longMessage {
				m.Data, here = in.fr.TryBuffered(make([]byte, n))
			}
		}
	}
	if here {
		c.out.held.release()
	} else {
		m, err = in.message(ctx, buf)
	}
	in.turn.unlock()
	if err != nil && err != io.EOF {
		err = opError("recv", c.addr, err)
	}
	return m, err
}

// Pending reports whether the next message is here, so that Recv returns it
// without asking the kernel. Somebody else may receive it before.
func (c *Conn) Pending() bool {
	in := &c.in
	if !in.turn.tryLock() {
		return false
	}
	_, here := in.fr.Next()
	in.turn.unlock()
	return here
}

// inbound is the receiving half of a Conn. Whoever holds turn owns all of it,
// except that Close, once the descriptor is closed, takes the turn as well.
//
// Descriptors are tied to their message by their place in the byte stream:
//
//	stream  ──┬────────┬──────────────┬──────┬──
//	          │ frame  │ frame        │ frame│
//	          └────────┴──────────▲───┴──────┘
//	                              └ batch.at: a byte of the frame they belong to
//
// A sender puts the frame with the descriptors, and nothing else, into one
// sendmsg. On Linux a read ends behind the data that carries descriptors, so
// its last byte is in that frame; on the BSDs it begins there, so its first is.
type inbound struct {
	turn turn
	gate gate
	c    *Conn
	fr   *frame.Reader

	// the call under way
	ctx      context.Context
	p        []byte
	n        int
	err      error
	waiting  bool
	deadline time.Time
	frameAt  int64                 // the frame that has until
	frameBy  time.Time             // to arrive wholly
	attempt  func(fd uintptr) bool // in.try, bound once

	pos     int64 // bytes of the stream read so far
	control []byte
	batches []batch
	spin    spinner
	most    int // bytes of the last read, or of the last message if that is more

	failed   error // final: descriptors of the message at failedAt are lost
	failedAt int64
}

// batch is descriptors received and not yet claimed by a message.
type batch struct {
	at    int64
	files []*os.File
}

func (in *inbound) init(c *Conn) {
	in.c, in.spin.c = c, c
	in.turn = newTurn()
	in.gate.setDeadline = c.desc.Load().setReadDeadline
	in.attempt = in.try
}

// message reads the next message. Precondition: the caller has the turn.
func (in *inbound) message(ctx context.Context, buf []byte) (Message, error) {
	in.ctx = ctx
	data, err := in.fr.ReadMessage(buf)
	in.settle()
	if err != nil {
		return Message{}, err
	}
	in.c.out.held.release()
	in.most = max(in.most, len(data))
	m := Message{Data: data}
	if len(in.batches) > 0 {
		m.Files = in.claim(in.fr.Offset())
		if len(m.Files) > in.c.opts.MaxFiles {
			in.fail(0, ErrTooManyFiles)
		}
	}
	if in.failed != nil && in.failedAt < in.fr.Offset() {
		m.Close()
		return Message{}, in.failed
	}
	return m, nil
}

// settle ends a call. Precondition: the caller has the turn.
func (in *inbound) settle() {
	in.ctx = nil
	if in.waiting {
		in.waiting = false
		in.deadline = time.Time{} // it was this call's
		in.gate.release()
	}
	in.c.moveToBells(&in.spin, &in.c.out.turn)
}

// Read makes in the stream that the frame.Reader reads. It waits for bytes, no
// longer than the call's context and the connection's time-outs allow.
func (in *inbound) Read(p []byte) (int, error) {
	if in.failed != nil {
		return 0, in.failed
	}
	in.p = p
	for !in.ready() {
		err := in.c.desc.Load().read(in.attempt)
		in.spin.woken()
		if err == nil && in.err != syscall.EAGAIN {
			break
		}
		if err == nil { // see listen
			err = os.ErrDeadlineExceeded
		}
		if err := in.interrupted(err); err != nil {
			in.p = nil
			return 0, err
		}
	}
	in.p = nil
	switch {
	case errors.Is(in.err, frame.ErrCorrupt): // of shared memory: what follows is not to be believed
		in.fail(0, in.err)
		return 0, in.err
	case in.err != nil:
		return 0, in.c.cause(in.err)
	case in.n == 0:
		return 0, io.EOF
	}
	return in.n, nil
}

// ready reports whether there was something in the ring.
func (in *inbound) ready() bool {
	s := in.ring()
	if s == nil {
		return false
	}
	in.take(s)
	return in.err != syscall.EAGAIN
}

// interrupted says why a wait ended without anything to read; nil means that
// an earlier call's deadline did it, which is now cleared.
func (in *inbound) interrupted(err error) error {
	if in.c.closed.Load() {
		return os.ErrClosed
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err := in.ctx.Err(); err != nil {
		return err
	}
	if !in.deadline.IsZero() && !time.Now().Before(in.deadline) {
		in.deadline = time.Time{}
		return ErrTimeout
	}
	in.waiting = true
	in.gate.watch(in.ctx, in.deadline)
	return nil
}

// try reads once, and prepares to wait if there is nothing. The poller calls
// it again when there may be something.
func (in *inbound) try(fd uintptr) bool {
	in.receive(int(fd))
	if in.err != syscall.EAGAIN || in.poll(int(fd)) {
		return true
	}
	if s := in.ring(); s != nil && in.listen(s, int(fd)) {
		return true
	}
	in.prepareWait()
	return false
}

// poll spins for a while, as the connection's Spin allows, or if much has just
// come and more is likely to.
func (in *inbound) poll(fd int) bool {
	limit := time.Duration(in.c.spin.Load())
	much := in.most >= longMessage
	if limit == 0 && (much || in.fr.InFrame() || in.ring() != nil) {
		limit = spinLong
	}
	if limit <= 0 {
		return false
	}
	var budget time.Duration
	if much && in.fr.InFrame() {
		budget = in.spin.rest()
	} else {
		budget = in.spin.budget(limit)
	}
	found := false
	if budget > 0 {
		in.c.out.flushNow() // the peer may be waiting for it
		found = in.spin.poll(budget, func() bool {
			if s := in.ring(); s != nil && !s.glance(&in.err) {
				return in.err != syscall.EAGAIN
			}
			in.receive(fd)
			return in.err != syscall.EAGAIN
		})
	}
	if hot := in.spin.hopes(limit) && in.c.spin.Load() > 0; hot != in.c.hot.Load() {
		in.c.hot.Store(hot)
	}
	if !found {
		in.spin.sleeps()
	}
	return found
}

// prepareWait makes sure that the wait which follows can end.
func (in *inbound) prepareWait() {
	in.c.out.flushNow() // the peer may be waiting for it
	by := in.waitUntil()
	if in.waiting && by.IsZero() && in.deadline.IsZero() {
		return
	}
	in.waiting = true
	in.deadline = by
	in.gate.watch(in.ctx, by)
}

// waitUntil returns when the connection's time-outs end the wait that follows;
// zero is never. A message has FrameTimeout from the first wait for the rest
// of it until it is whole, however the peer splits it.
func (in *inbound) waitUntil() time.Time {
	o := &in.c.opts
	switch {
	case !in.fr.InFrame() && o.IdleTimeout > 0:
		if !in.deadline.IsZero() { // a bell is no message
			return in.deadline
		}
		return time.Now().Add(o.IdleTimeout)
	case !in.fr.InFrame() || o.FrameTimeout == 0:
		return time.Time{}
	}
	if at := in.fr.Offset(); in.frameBy.IsZero() || at != in.frameAt {
		in.frameAt, in.frameBy = at, time.Now().Add(o.FrameTimeout)
	}
	return in.frameBy
}

// receive reads once without waiting, into in.p.
func (in *inbound) receive(fd int) {
	if s := in.ring(); s != nil {
		in.draw(s, fd)
		return
	}
	if in.c.opts.MaxFiles == 0 && in.c.opts.SharedBuffer <= 0 {
		in.n, in.err = sysRead(fd, in.p)
		if in.n > 0 {
			in.advance()
		}
		return
	}
	var ctl control
	if in.c.hot.Load() {
		in.n, ctl, in.err = sysRecvHot(fd, in.p, in.controlRoom())
	} else {
		in.n, ctl, in.err = sysRecv(fd, in.p, in.controlRoom())
	}
	if s := in.c.shared.Load(); s != nil && in.enterRing(s, ctl) {
		ctl = control{}
	}
	switch {
	case in.n > 0 && in.pos == 0 && in.begins(fd, ctl):
	case in.n > 0:
		if ctl.length > 0 || ctl.truncated {
			in.accept(ctl)
		}
		in.advance()
		return
	}
	s := in.c.shared.Load()
	switch {
	case s == nil:
	case s.in.on: // from here on
		in.draw(s, fd)
	case in.n == 0 && in.err == nil, in.err == syscall.ECONNRESET:
		in.err = in.lastWord(s, fd, in.err)
	}
}

// begins looks at what was read first, and takes it if it is an offer of shared memory.
func (in *inbound) begins(fd int, ctl control) bool {
	b := in.p[:in.n]
	if len(in.p) < offerLen && ctl.length > 0 && b[0] == offerFirst {
		// RecvHandle reads a byte alone. An offer was sent with one write.
		whole := append(make([]byte, 0, offerLen), b...)
		n, _, _ := sysRecv(fd, whole[len(b):offerLen], nil)
		b = whole[:len(b)+n]
	} else if !isOffer(b) {
		return false
	}
	in.takeOffer(b, ctl)
	return true
}

// takeOffer accepts the offer of shared memory b, or ends the connection.
func (in *inbound) takeOffer(b []byte, ctl control) {
	files := parseFiles(in.control[:ctl.length])
	err := errNoDescriptors
	if len(files) == offerFiles || !ctl.truncated {
		err = in.c.takeOffer(b, files)
	} else {
		closeFiles(files)
	}
	in.n, in.err = 0, err
	if err != nil {
		in.fail(0, err)
	}
}

// controlRoom returns room for the descriptors that may come with a read.
func (in *inbound) controlRoom() []byte {
	if in.control == nil {
		room := in.c.opts.MaxFiles
		if in.c.opts.SharedBuffer > 0 {
			room = max(room, offerFiles)
		}
		in.control = make([]byte, sysControlLen(room))
	}
	return in.control
}

// advance notes a read of n bytes.
func (in *inbound) advance() {
	in.pos += int64(in.n)
	in.most = in.n
}

// accept keeps the descriptors that came with the bytes just read, or closes
// them if they are more than we take.
func (in *inbound) accept(ctl control) {
	at := in.pos
	if controlAtEnd {
		at += int64(in.n) - 1
	}
	in.keep(at, parseFiles(in.control[:ctl.length]), ctl.truncated)
}

// keep keeps files for the message that has stream offset at, or closes them. cut says
// that there were more.
func (in *inbound) keep(at int64, files []*os.File, cut bool) {
	switch {
	case in.c.opts.MaxFiles == 0: // unwanted, and this kernel did not refuse them
		closeFiles(files)
	case cut && len(files) < in.c.opts.MaxFiles: // not for want of room for them
		closeFiles(files)
		in.fail(at, errNoDescriptors)
	case cut || in.unclaimed()+len(files) > 2*in.c.opts.MaxFiles:
		closeFiles(files)
		in.fail(at, ErrTooManyFiles)
	case len(files) > 0:
		in.batches = append(in.batches, batch{at, files})
	}
}

var errNoDescriptors = fmt.Errorf("no descriptor left for one that came with a message: %w", syscall.EMFILE)

// fail ends receiving with the message that has stream offset at.
func (in *inbound) fail(at int64, why error) {
	if in.failed == nil {
		in.failed, in.failedAt = why, at
	}
}

func (in *inbound) unclaimed() (n int) {
	for _, b := range in.batches {
		n += len(b.files)
	}
	return n
}

// claim takes the descriptors of the message that ends at stream offset end.
func (in *inbound) claim(end int64) (files []*os.File) {
	i := 0
	for ; i < len(in.batches) && in.batches[i].at < end; i++ {
		files = append(files, in.batches[i].files...)
	}
	in.batches = in.batches[:copy(in.batches, in.batches[i:])]
	return files
}

// setLimit changes the longest message that is accepted.
func (in *inbound) setLimit(n int) {
	_ = in.turn.lock(context.Background())
	defer in.turn.unlock()
	in.fr.SetLimit(n)
}

// closeFiles closes what no message has claimed. The descriptor is closed, so
// the holder of the turn lets go of it soon.
func (in *inbound) closeFiles() {
	_ = in.turn.lock(context.Background())
	defer in.turn.unlock()
	for _, b := range in.batches {
		closeFiles(b.files)
	}
	in.batches = nil
	if s := in.c.shared.Load(); s != nil {
		s.in.forget()
	}
	in.fr = frame.NewReader(closedReader{}, 0)
}

// closedReader lets go of buffered messages: after Close there are none.
type closedReader struct{}

func (closedReader) Read([]byte) (int, error) { return 0, os.ErrClosed }
