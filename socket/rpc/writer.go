package rpc

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipcctl/ipc/socket"
)

// A wire sends frames on a connection, many with one write:
//
//	callers ── add ──▶ buf ──▶ the sender: whoever found nobody sending ──▶ connection
//
// The sender writes what it finds until it finds nothing; meanwhile others only
// add to buf and go on. Frames go out in the order in which they were added.
type wire struct {
	c *socket.Conn

	// active counts the calls under way. While there is one, nobody is about
	// to add anything.
	active atomic.Int32

	mu      sync.Mutex
	buf     []byte // whole frames of package socket/frame
	spare   []byte // what buf was before the sender took it
	sending bool   // somebody is the sender
	changed chan struct{}
	alone   chan struct{} // held by whoever is in sendAlone
	err     error         // of the connection: nothing can be sent any more
	closing bool          // nothing is taken any more, what is in buf goes out

	// broken is told err, once.
	broken func(error)
}

// init makes the wire of c. broken is told of the end of it.
func (w *wire) init(c *socket.Conn, broken func(error)) {
	w.c, w.broken, w.alone = c, broken, make(chan struct{}, 1)
}

const (
	prefixLen = 4 // frame.HeaderLen of all that maxBuffered admits

	// maxBuffered bounds buf, in bytes, and the frames that go through it.
	maxBuffered = 64 << 10
	maxCopied   = 16 << 10

	// maxRounds is how often a caller writes for others too before it gives
	// that job to a goroutine.
	maxRounds = 4

	// maxKept is the longest buffer that is kept in longFrames, in bytes.
	maxKept = 2 << 20
)

// longFrames are buffers for frames that do not go through buf.
var longFrames = sync.Pool{New: func() any { return new([]byte) }}

// send sends one frame: build appends it, all but its payload, and the payload
// follows. The caller's context ends the wait for room, and then the frame may
// have gone out or not, as with Conn.Send.
func (w *wire) send(ctx context.Context, build func([]byte) []byte, payload []byte, files ...*os.File) error {
	if len(files) > 0 || len(payload) > maxCopied {
		return w.sendAlone(ctx, build, payload, files)
	}
	if err := w.add(ctx, build, payload); err != nil {
		return err
	}
	return w.flush(ctx, w.active.Load() > 1)
}

// add appends a frame to buf, for a flush that is to follow. It waits while buf
// is full.
func (w *wire) add(ctx context.Context, build func([]byte) []byte, payload []byte) error {
	w.mu.Lock()
	for w.ended() == nil && len(w.buf) > maxBuffered {
		if !w.sending { // callers of add alone have filled it
			w.mu.Unlock()
			if err := w.flush(ctx, false); err != nil {
				return err
			}
			w.mu.Lock()
			continue
		}
		if err := w.wait(ctx); err != nil {
			w.mu.Unlock()
			return err
		}
	}
	defer w.mu.Unlock()
	if err := w.ended(); err != nil {
		return err
	}
	return w.append(build, payload)
}

// post sends a short frame without waiting. It takes no heed of whether buf is full, so
// there must not be many of them: one for each frame that did find room.
func (w *wire) post(build func([]byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.append(build, nil) == nil && !w.sending {
		w.sending = true
		go w.run(context.Background())
	}
}

// append is add when there is room. Precondition: mu is held.
func (w *wire) append(build func([]byte) []byte, payload []byte) error {
	at := len(w.buf)
	b := append(w.buf, 0, 0, 0, 0)
	b = append(build(b), payload...)
	n := len(b) - at - prefixLen
	if limit := w.c.MaxMessage(); n > limit {
		return tooLarge(n, limit)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(n))
	w.buf = b
	return nil
}

func tooLarge(n, limit int) error {
	return fmt.Errorf("%w: %d bytes with the call's header, limit %d", socket.ErrTooLarge, n, limit)
}

// flush sends what is in buf, unless somebody is doing so. With others about to
// add to it, they are let go first.
func (w *wire) flush(ctx context.Context, others bool) error {
	w.mu.Lock()
	if w.sending || len(w.buf) == 0 {
		w.mu.Unlock()
		return nil
	}
	w.sending = true
	w.mu.Unlock()
	if others {
		runtime.Gosched()
	}
	return w.run(ctx)
}

// open reports whether this side has not closed the connection.
func (w *wire) open() bool {
	raw, err := w.c.SyscallConn()
	return err == nil && raw.Control(func(uintptr) {}) == nil
}

// busy reports whether somebody is the sender.
func (w *wire) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sending
}

// run writes until there is nothing left. Precondition: the caller is the
// sender.
func (w *wire) run(ctx context.Context) error {
	for round := 0; ; round++ {
		w.mu.Lock()
		if len(w.buf) == 0 || w.err != nil {
			err := w.err
			w.stop()
			w.mu.Unlock()
			return err
		}
		if round == maxRounds {
			w.mu.Unlock()
			go w.run(context.Background())
			return nil
		}
		p := w.buf
		w.buf, w.spare = w.spare, nil
		w.notify()
		w.mu.Unlock()
		taken, err := w.c.SendFrames(ctx, p)
		w.mu.Lock()
		switch {
		case taken < len(p) && ctx.Err() != nil:
			w.buf = append(p, w.buf...)
		case cap(p) <= 2*maxBuffered:
			w.spare = p[:0]
		}
		w.mu.Unlock()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			go w.run(context.Background())
			return err
		default:
			w.fail(err)
		}
	}
}

// sendAlone sends a frame that does not go through buf, behind all that does.
func (w *wire) sendAlone(ctx context.Context, build func([]byte) []byte, payload []byte, files []*os.File) error {
	select { // one after the other, or the end of each would wake all that wait
	case w.alone <- struct{}{}:
	default:
		select {
		case w.alone <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-w.alone }()
	w.mu.Lock()
	for w.ended() == nil && w.sending {
		if err := w.wait(ctx); err != nil {
			w.mu.Unlock()
			return err
		}
	}
	if err := w.ended(); err != nil {
		w.mu.Unlock()
		return err
	}
	w.sending = true
	before := w.buf
	w.buf = nil
	w.mu.Unlock()
	var err error
	if len(before) > 0 {
		var taken int
		taken, err = w.c.SendFrames(ctx, before)
		switch {
		case err != nil && ctx.Err() == nil:
			w.fail(err)
		case taken < len(before):
			w.mu.Lock()
			w.buf = append(before, w.buf...)
			w.mu.Unlock()
		}
	}
	if err == nil {
		frame := longFrames.Get().(*[]byte)
		*frame = append(build((*frame)[:0]), payload...)
		err = w.c.Send(ctx, *frame, files...)
		if cap(*frame) <= maxKept {
			longFrames.Put(frame)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf) > 0 {
		go w.run(context.Background())
	} else {
		w.stop()
	}
	return err
}

// ended says why nothing is taken any more. Precondition: mu is held.
func (w *wire) ended() error {
	if w.err == nil && w.closing {
		return ErrClosed
	}
	return w.err
}

// closeWait is for how long a client's Close waits for its peer to take what was sent, and a
// server's Shutdown for a client to close.
const closeWait = time.Second

// finish takes nothing more, and gives what it has to the peer, if that makes room soon.
func (w *wire) finish() {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	_ = w.drain(ctx)
}

// drain returns when everything was sent.
func (w *wire) drain(ctx context.Context) error {
	w.mu.Lock()
	for w.err == nil && (w.sending || len(w.buf) > 0) {
		if w.sending {
			if err := w.wait(ctx); err != nil {
				w.mu.Unlock()
				return err
			}
			continue
		}
		w.mu.Unlock()
		if err := w.flush(ctx, false); err != nil {
			return err
		}
		w.mu.Lock()
	}
	err := w.err
	w.mu.Unlock()
	if err != nil {
		return err
	}
	return w.c.Flush(ctx)
}

// stop ends the sender's turn. Precondition: mu is held.
func (w *wire) stop() {
	w.sending = false
	w.notify()
}

// fail notes that the connection is lost.
func (w *wire) fail(err error) {
	w.mu.Lock()
	first := w.err == nil
	if first {
		w.err = err
	}
	w.mu.Unlock()
	if first && w.broken != nil {
		w.broken(err)
	}
}

// wait waits for the sender to take something or to stop. Precondition: mu is
// held; it is released meanwhile.
func (w *wire) wait(ctx context.Context) error {
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	changed := w.changed
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// notify ends all waits. Precondition: mu is held.
func (w *wire) notify() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}
