package pipe

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/ipcctl/ipc/socket/frame"
)

// Writer is the write end of a pipe or FIFO: a stream of bytes (Write) or of
// messages (Send).
//
// All methods may be called concurrently. Writes take turns; none is torn by
// another on the same Writer.
type Writer struct {
	d      *desc
	mode   mode
	atomic bool // others write to the same pipe: every write is whole frames, at most pipeBuf
	limit  int

	mu     mutex           // guards what follows, and a transfer on d
	ctx    context.Context // of the call under way
	frames *frame.Writer   // nil until the first message
	joined []byte          // the beginning of a long message behind its header

	flushing bool   // a look is on its way
	taken    uint64 // messages taken so far
	writes   uint64 // of frames to the pipe so far
	wasTaken uint64 // taken when the first look was arranged
	wrote    uint64 // writes at the last look
}

func wrapWriter(f *os.File, name string, m mode) (*Writer, error) {
	d, err := newWriteDesc(f, name)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &Writer{d: d, mode: m, mu: newMutex()}, nil
}

// NewWriter makes a Writer of the pipe or FIFO that f is open on, as
// [NewReader] does a Reader.
func NewWriter(f *os.File) (*Writer, error) { return adoptWriter(f, stream) }

// NewPacketWriter is [NewWriter] for the write end of [NewPacket].
func NewPacketWriter(f *os.File) (*Writer, error) {
	m, err := packetsHere()
	if err != nil {
		return nil, fail("new writer", f.Name(), err)
	}
	return adoptWriter(f, m)
}

func adoptWriter(f *os.File, m mode) (*Writer, error) {
	own, err := adopt(f, os.O_WRONLY, m)
	if err != nil {
		return nil, fail("new writer", f.Name(), err)
	}
	w, err := wrapWriter(own, f.Name(), m)
	if err != nil {
		return nil, fail("new writer", f.Name(), err)
	}
	_ = f.Close()
	return w, nil
}

// SetLimit makes n bytes the longest message that Send accepts; without it,
// frame.DefaultLimit (1 MiB) is. It must be called before the first message.
func (w *Writer) SetLimit(n int) { w.limit = n }

// Write writes all of p, or returns how much of it went out and why no more:
// an error wrapping syscall.EPIPE when no reader is left. On a packet pipe,
// p is one message.
func (w *Writer) Write(p []byte) (int, error) {
	return w.WriteContext(context.Background(), p)
}

// WriteContext is Write until ctx ends.
func (w *Writer) WriteContext(ctx context.Context, p []byte) (int, error) {
	if err := w.mu.lock(ctx); err != nil {
		return 0, w.fail("write", err)
	}
	defer w.mu.unlock()
	n, err := w.write(ctx, p)
	return n, w.fail("write", err)
}

// write is WriteContext with the lock held.
func (w *Writer) write(ctx context.Context, p []byte) (int, error) {
	if w.mode != stream {
		if err := w.message(ctx, p, (*frame.Writer).WriteMessage); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if err := w.flush(ctx); err != nil { // buffered messages come first
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	w.d.grow(len(p))
	return w.d.transfer(ctx, p)
}

// Send sends one message. When it returns nil the kernel has it: it reaches the
// reader even if this process is killed.
//
// On an error wrapping frame.ErrTooLarge or [ErrMessageSize] nothing happened;
// with syscall.EPIPE no reader is left. Where ctx ends before a byte of the
// message went out, it is withdrawn; once one has, the rest stays here and goes
// out ahead of the next call's, so that the reader never meets a torn frame.
func (w *Writer) Send(ctx context.Context, msg []byte) error {
	return w.locked(ctx, "send", msg, (*frame.Writer).WriteMessage)
}

// SendBuffered takes a copy of msg and sends it soon, together with others:
// streams of small messages are many times faster than by Send. It waits only
// while the pipe is full. A packet goes out at once.
//
// Buffered messages go out in order: when 64 KiB are full, before the next Send
// or Write, by Flush, and otherwise when the sender pauses, or within some 2 ms
// if it doesn't. Those that have not gone out are lost if the process dies, and
// an error that their sending meets is returned by a later call. Errors are
// those of Send.
func (w *Writer) SendBuffered(ctx context.Context, msg []byte) error {
	return w.locked(ctx, "send", msg, (*frame.Writer).BufferMessage)
}

// Flush sends all that SendBuffered has buffered. When it returns nil, the
// kernel has it. On an error, the unsent rest stays for the next call.
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.mu.lock(ctx); err != nil {
		return w.fail("flush", err)
	}
	defer w.mu.unlock()
	return w.fail("flush", w.flush(ctx))
}

// flush is Flush with the lock held.
func (w *Writer) flush(ctx context.Context) error {
	if w.unsent() == 0 {
		return nil
	}
	w.ctx = ctx
	defer func() { w.ctx = nil }()
	return w.frames.Flush()
}

// flushSoon sees to it that what is buffered goes out, if something is and
// nobody sees to it yet. Precondition: the caller has the lock.
func (w *Writer) flushSoon() {
	w.taken++
	if w.unsent() > 0 && !w.flushing {
		w.flushing, w.wasTaken = true, w.taken
		go w.firstLook()
	}
}

// firstLook sends what is buffered if the sender has paused already. If it hasn't,
// it may fill the buffer by itself: a flush between two messages would cost it more
// than the message.
func (w *Writer) firstLook() {
	runtime.Gosched()
	_ = w.mu.lock(context.Background())
	defer w.mu.unlock()
	w.flushOrLook(w.taken == w.wasTaken)
}

// nextLook sends what is buffered if nothing went out since the look before. So no
// message stays for longer than from one look to the one after the next, however
// steadily others follow it.
func (w *Writer) nextLook() {
	_ = w.mu.lock(context.Background())
	defer w.mu.unlock()
	w.flushOrLook(w.writes == w.wrote)
}

func (w *Writer) flushOrLook(now bool) {
	if !now && w.unsent() > 0 {
		w.wrote = w.writes
		time.AfterFunc(time.Millisecond, w.nextLook)
		return
	}
	w.flushing = false
	_ = w.flush(context.Background()) // a later call meets the error again
}

// locked runs message under the lock.
func (w *Writer) locked(ctx context.Context, op string, msg []byte, put func(*frame.Writer, []byte) error) error {
	if err := w.mu.lock(ctx); err != nil {
		return w.fail(op, err)
	}
	defer w.mu.unlock()
	return w.fail(op, w.message(ctx, msg, put))
}

// message checks msg and puts it out, as a packet or as a frame.
func (w *Writer) message(ctx context.Context, msg []byte, put func(*frame.Writer, []byte) error) error {
	switch {
	case w.d.closed.Load():
		return os.ErrClosed
	case w.mode != stream && (len(msg) == 0 || len(msg) > MaxPacket):
		return fmt.Errorf("%w: %d bytes, a packet has 1 to %d", ErrMessageSize, len(msg), MaxPacket)
	case w.mode == packet:
		_, err := w.d.transfer(ctx, msg)
		return err
	case w.atomic && len(msg) > MaxAtomic:
		return fmt.Errorf("%w: %d bytes, but only %d stay whole where several processes write; "+
			"a sole writer may set WriterOptions.Exclusive", ErrMessageSize, len(msg), MaxAtomic)
	}
	if w.frames == nil {
		w.frames = frame.NewWriter((*sink)(w), w.limit)
	}
	w.ctx = ctx
	err := put(w.frames, msg)
	w.ctx = nil
	w.flushSoon()
	return err
}

// sink is where a Writer's frames go.
type sink Writer

// Write writes whole frames. Among several writers it does so in pieces that
// the kernel keeps whole, each of them entirely or not at all.
func (s *sink) Write(p []byte) (int, error) {
	s.writes++
	if !s.atomic {
		return s.d.transfer(s.ctx, p)
	}
	done := 0
	for done < len(p) { // ends: every round takes a frame or fails
		n, err := s.d.transfer(s.ctx, p[done:done+wholeFrames(p[done:])])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// WriteVector writes a long message behind its header, and behind what head
// has before that. Precondition: nobody else writes, so nothing has to stay
// whole.
//
// Header and message are not written from two places, as writev(2) would: the
// message would lie four bytes further in the pipe's pages than in the caller's,
// which some processors copy four times as slowly (AMD Zen 3: 42 us instead of 9
// for 64 KiB). The first 64 KiB are copied behind the header here; the rest then
// starts a page of the pipe, and leaves from where it is.
func (s *sink) WriteVector(head, msg []byte) (int, error) {
	s.writes++
	s.d.grow(len(head) + len(msg))
	first := min(len(msg), usual)
	s.joined = append(append(s.joined[:0], head...), msg[:first]...)
	return s.d.transferBoth(s.ctx, s.joined, msg[first:])
}

// wholeFrames returns how many bytes of p are whole frames and fit pipeBuf
// together. Preconditions: p is whole frames, each within pipeBuf.
func wholeFrames(p []byte) int {
	end := 0
	for end < len(p) { // ends: every frame has a header
		next := end + frameHeader + int(binary.BigEndian.Uint32(p[end:]))
		if next > pipeBuf {
			break
		}
		end = next
	}
	return end
}

// fail names w in err.
func (w *Writer) fail(op string, err error) error { return fail(op, w.d.name, err) }

// Detach gives the descriptor away, in blocking mode as other programs expect
// it, and closes w. It is for exec.Cmd.ExtraFiles and for exec.Cmd.Stdout.
func (w *Writer) Detach() (*os.File, error) {
	if !w.mu.tryLock() {
		return nil, w.fail("detach", errBusy)
	}
	defer w.mu.unlock()
	if n := w.unsent(); n > 0 {
		return nil, w.fail("detach", fmt.Errorf("%d bytes are not flushed", n))
	}
	f, err := w.d.detach()
	return f, w.fail("detach", err)
}

// Close closes the write end: the reader meets io.EOF once no other writer is
// left. Blocked calls return an error wrapping os.ErrClosed. Messages of
// SendBuffered that still wait go out if the pipe has room for them; if not, the
// error says so, and Flush would have waited. Closing again does nothing.
func (w *Writer) Close() error {
	open, relayed := w.d.halt()
	switch {
	case !open:
		return nil
	case relayed: // it began with a flush, so nothing is buffered
		return w.fail("close", w.d.file.Close())
	}
	_ = w.mu.lock(context.Background()) // whoever has it has been halted
	defer w.mu.unlock()
	_ = w.d.deadline(time.Time{})
	w.d.brief = true
	_ = w.flush(context.Background()) // what stays is counted below
	if err := w.d.file.Close(); err != nil {
		return w.fail("close", err)
	}
	if n := w.unsent(); n > 0 {
		w.frames = nil
		return w.fail("close", fmt.Errorf("%d bytes of messages were never sent: Flush comes before Close", n))
	}
	return nil
}

// unsent returns how many bytes wait for Flush.
func (w *Writer) unsent() int {
	if w.frames == nil {
		return 0
	}
	return w.frames.Buffered()
}
