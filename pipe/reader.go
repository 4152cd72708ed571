package pipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ipcctl/ipc/socket/frame"
)

// Reader is the read end of a pipe or FIFO: a stream of bytes (Read) or of
// messages (Recv). Once a message has been received, Read is refused, since
// Recv reads ahead.
//
// All methods may be called concurrently. Reads take turns.
type Reader struct {
	d     *desc
	mode  mode
	limit int

	mu      mutex           // guards what follows, and a transfer on d
	ctx     context.Context // of the Recv under way
	frames  *frame.Reader   // nil until the first Recv
	scratch []byte          // one packet, where the caller's buffer is too short
	seen    bool            // a writer has been there
	long    bool            // the last message was a long one
	exact   *ration         // not nil: frames are read without reading ahead
}

func wrapReader(f *os.File, name string, m mode) (*Reader, error) {
	d, err := newReadDesc(f, name)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &Reader{d: d, mode: m, mu: newMutex()}, nil
}

// NewReader makes a Reader of the pipe or FIFO that f is open on, such as one
// that a parent process left to this one, and takes f over: f is closed, unless
// an error is returned.
//
// On Linux it opens the pipe anew where it may, so that other processes that
// share f's open file description don't find it non-blocking; elsewhere they do.
func NewReader(f *os.File) (*Reader, error) { return adoptReader(f, stream) }

// NewPacketReader is [NewReader] for the read end of [NewPacket].
func NewPacketReader(f *os.File) (*Reader, error) {
	m, err := packetsHere()
	if err != nil {
		return nil, fail("new reader", f.Name(), err)
	}
	return adoptReader(f, m)
}

func adoptReader(f *os.File, m mode) (*Reader, error) {
	own, err := adopt(f, os.O_RDONLY, m)
	if err != nil {
		return nil, fail("new reader", f.Name(), err)
	}
	r, err := wrapReader(own, f.Name(), m)
	if err != nil {
		return nil, fail("new reader", f.Name(), err)
	}
	_ = f.Close()
	return r, nil
}

// SetLimit makes n bytes the longest message that Recv accepts; without it,
// frame.DefaultLimit (1 MiB) is. It must be called before the first Recv.
func (r *Reader) SetLimit(n int) { r.limit = n }

// NoReadAhead makes Recv take from the pipe its message and not a byte more, at
// the price of two reads for each, so that whoever has the pipe next (a Read, a
// [Relay], another process) goes on with the next message. It must be called
// before the first Recv.
func (r *Reader) NoReadAhead() { r.exact = &ration{} }

// Read reads up to len(p) bytes and waits while there are none. The end,
// io.EOF, means that there were writers and that they are gone.
//
// On a packet pipe it takes one message; what of it is longer than p is lost,
// and the error is io.ErrShortBuffer.
func (r *Reader) Read(p []byte) (int, error) {
	return r.ReadContext(context.Background(), p)
}

// ReadContext is Read until ctx ends.
func (r *Reader) ReadContext(ctx context.Context, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.mu.lock(ctx); err != nil {
		return 0, r.fail("read", err)
	}
	defer r.mu.unlock()
	n, err := r.read(ctx, p)
	return n, r.fail("read", err)
}

// read is ReadContext with the lock held.
func (r *Reader) read(ctx context.Context, p []byte) (int, error) {
	if r.mode != stream {
		return r.readPacket(ctx, p)
	}
	if r.ahead() {
		return 0, errMixed
	}
	return r.transfer(ctx, p)
}

// ahead reports whether messages may have been read ahead.
func (r *Reader) ahead() bool {
	return r.frames != nil && (r.exact == nil || r.frames.InFrame())
}

// transfer reads once, and remembers whether a writer has been there.
func (r *Reader) transfer(ctx context.Context, p []byte) (int, error) {
	n, err := r.d.transfer(ctx, p)
	if !r.d.stay || r.seen {
		return n, err
	}
	r.seen = !r.d.none || r.d.hungUp()
	if !r.seen && err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrNoWriter, err)
	}
	return n, err
}

// Recv returns the next message, in memory of its own.
//
// The error is io.EOF where the writers left between two messages. It wraps
// io.ErrUnexpectedEOF where they left inside one, and frame.ErrTooLarge or
// frame.ErrCorrupt where one sent what this reader doesn't accept; nothing
// more can be received then. Where ctx ends, nothing is lost: the next Recv
// goes on with the same message.
func (r *Reader) Recv(ctx context.Context) ([]byte, error) { return r.RecvInto(ctx, nil) }

// RecvInto is Recv into the capacity of buf where the message fits it, and into
// new memory otherwise. With a buffer that is large enough it allocates nothing.
func (r *Reader) RecvInto(ctx context.Context, buf []byte) ([]byte, error) {
	if err := r.mu.lock(ctx); err != nil {
		return nil, r.fail("recv", err)
	}
	defer r.mu.unlock()
	if r.d.closed.Load() {
		return nil, r.fail("recv", os.ErrClosed)
	}
	if r.mode == packet {
		msg, err := r.recvPacket(ctx, buf)
		return msg, r.fail("recv", err)
	}
	msg, err := r.recvFrame(ctx, buf)
	return msg, r.fail("recv", err)
}

// recvFrame returns the next frame's message.
func (r *Reader) recvFrame(ctx context.Context, buf []byte) ([]byte, error) {
	if r.frames == nil {
		r.frames = frame.NewReader((*source)(r), r.limit)
	}
	r.ctx = ctx
	msg, err := r.frames.ReadMessage(buf)
	r.ctx, r.long = nil, len(msg) >= longMessage
	if err == errWritersLeft {
		// The frame's writer is gone for good. The next one starts afresh.
		r.frames = nil
		if r.exact != nil {
			r.exact = &ration{}
		}
		err = fmt.Errorf("the writer left inside a message: %w", frame.ErrTruncated)
	}
	return msg, err
}

// errWritersLeft tells a Reader that survives its writers that they left with
// a frame unfinished.
var errWritersLeft = errors.New("writers left")

// source is what a Reader's frames are read from.
type source Reader

func (s *source) Read(p []byte) (int, error) {
	r := (*Reader)(s)
	if r.exact != nil {
		p = p[:min(uint64(len(p)), r.exact.next())]
	}
	if r.long && !r.frames.InFrame() && len(p) > frameHeader {
		// Another long one is likely, and goes straight to where it stays. A
		// read of one page of it would make room for one page, and wake a
		// writer who can't go on.
		p = p[:frameHeader]
	}
	inside := r.d.stay && r.frames.InFrame()
	if inside { // waiting for the next writer would join two writers' halves
		r.d.stay = false
		defer func() { r.d.stay = true }()
	}
	n, err := r.transfer(r.ctx, p)
	if inside && err == io.EOF {
		err = errWritersLeft
	}
	if r.exact != nil {
		r.exact.took(p[:n])
	}
	return n, err
}

// fail names r in err.
func (r *Reader) fail(op string, err error) error { return fail(op, r.d.name, err) }

// Detach gives the descriptor away, in blocking mode as other programs expect
// it, and closes r. It is for exec.Cmd.ExtraFiles and for exec.Cmd.Stdin.
func (r *Reader) Detach() (*os.File, error) {
	if !r.mu.tryLock() {
		return nil, r.fail("detach", errBusy)
	}
	defer r.mu.unlock()
	if len(r.d.head) > 0 || r.frames != nil && r.frames.InFrame() {
		return nil, r.fail("detach", errors.New("bytes were read ahead and would be lost"))
	}
	f, err := r.d.detach()
	return f, r.fail("detach", err)
}

// Close closes the read end: writers get EPIPE once no other reader is left.
// Blocked calls return an error wrapping os.ErrClosed. Closing again does nothing.
func (r *Reader) Close() error {
	open, relayed := r.d.halt()
	if !open {
		return nil
	}
	if !relayed {
		_ = r.mu.lock(context.Background()) // whoever has it has been halted
		defer r.mu.unlock()
	}
	return r.fail("close", r.d.file.Close())
}
