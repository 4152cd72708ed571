package frame

import (
	"encoding/binary"
	"io"
)

// Writer writes messages as frames, many to one write where it may.
//
// buf holds whole frames, except that its first one may have begun to go out
// when an error stopped the write; then buf starts with the rest of it. So
// whatever happens, what the stream has seen plus buf is a sequence of whole
// frames.
type Writer struct {
	dst   io.Writer
	vec   VectorWriter // dst, if it is one
	limit uint64
	buf   []byte
}

// NewWriter returns a Writer of messages up to limit bytes; a limit of zero or
// below means DefaultLimit.
func NewWriter(dst io.Writer, limit int) *Writer {
	vec, _ := dst.(VectorWriter)
	return &Writer{dst: dst, vec: vec, limit: limitOf(limit)}
}

// VectorWriter is what a stream may offer beside io.Writer: to write two
// buffers as if they were one, as writev(2) does. It spares large messages a
// copy.
type VectorWriter interface {
	WriteVector(p, q []byte) (int, error)
}

// directSize is from where on a message is not worth copying.
const directSize = 16 << 10

// TryBuffer is BufferMessage where that needs to do nothing but copy a short
// message behind others. It returns false, and has done nothing, otherwise.
func (w *Writer) TryBuffer(msg []byte) bool {
	at, n := len(w.buf), len(msg)
	end := at + shortHeaderLen + n
	if n >= directSize || end > min(cap(w.buf), maxBuffer) || uint64(n) > w.limit {
		return false
	}
	w.buf = w.buf[:end]
	binary.BigEndian.PutUint32(w.buf[at:], uint32(n))
	copy(w.buf[at+shortHeaderLen:], msg)
	return true
}

// Buffered returns the number of bytes that wait for Flush.
func (w *Writer) Buffered() int { return len(w.buf) }

// WriteMessage writes msg behind everything buffered. When it returns nil the
// stream has it all.
//
// On an error wrapping ErrTooLarge nothing happened. On any other error, if no
// byte of msg had gone out, msg is withdrawn and never will; otherwise the
// rest of it stays buffered and goes first with the next call.
func (w *Writer) WriteMessage(msg []byte) error {
	if err := w.BufferMessage(msg); err != nil {
		return err
	}
	err := w.Flush()
	if size := HeaderLen(len(msg)) + len(msg); err != nil && size <= len(w.buf) {
		w.buf = w.buf[:len(w.buf)-size]
	}
	return err
}

// WriteFrames writes frames, whole frames made by Append, behind everything
// buffered. On an error the unwritten rest stays buffered and goes first with
// the next call.
func (w *Writer) WriteFrames(frames []byte) error {
	if len(w.buf) > 0 {
		w.buf = append(w.buf, frames...)
		return w.Flush()
	}
	n, err := w.write(frames)
	if err != nil {
		w.buf = append(w.buf, frames[n:]...)
	}
	return err
}

// BufferMessage takes a copy of msg and leaves it for Flush. It writes only
// when 64 KiB would be exceeded, and returns errors as WriteMessage does.
func (w *Writer) BufferMessage(msg []byte) error {
	if w.TryBuffer(msg) {
		return nil
	}
	if uint64(len(msg)) > w.limit {
		return tooLarge(uint64(len(msg)), w.limit)
	}
	size := HeaderLen(len(msg)) + len(msg)
	if w.vec != nil && len(msg) >= directSize {
		return w.writeVector(msg)
	}
	if len(w.buf)+size > maxBuffer {
		if err := w.Flush(); err != nil {
			return err
		}
		if size > maxBuffer {
			return w.writeLarge(msg)
		}
	}
	w.buf = AppendHeader(w.buf, len(msg))
	w.buf = append(w.buf, msg...)
	return nil
}

// writeVector writes everything buffered and msg, from the caller's memory.
func (w *Writer) writeVector(msg []byte) error {
	before := len(w.buf)
	w.buf = AppendHeader(w.buf, len(msg))
	head := len(w.buf)
	n, err := w.vec.WriteVector(w.buf, msg)
	n = min(max(n, 0), head+len(msg))
	switch {
	case err == nil && n == head+len(msg):
		w.drained()
		return nil
	case err == nil:
		err = io.ErrShortWrite
	}
	switch {
	case n <= before: // nothing of msg
		w.buf = w.buf[:copy(w.buf, w.buf[n:before])]
	case n < head:
		w.buf = append(w.buf[:copy(w.buf, w.buf[n:])], msg...)
	default:
		w.buf = append(w.buf[:0], msg[n-head:]...)
	}
	return err
}

// Flush writes everything buffered. On an error the unwritten rest stays.
func (w *Writer) Flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.write(w.buf)
	if err != nil {
		w.buf = w.buf[:copy(w.buf, w.buf[n:])]
		return err
	}
	w.drained()
	return nil
}

// drained empties the buffer, and lets go of one that an interrupted message
// has made large.
func (w *Writer) drained() {
	w.buf = w.buf[:0]
	if cap(w.buf) > 2*maxBuffer {
		w.buf = nil
	}
}

// writeLarge writes a message that does not fit the buffer: the header goes
// with the first part, the rest goes from the caller's memory.
func (w *Writer) writeLarge(msg []byte) error {
	w.buf = AppendHeader(w.buf[:0], len(msg))
	head := maxBuffer - len(w.buf)
	w.buf = append(w.buf, msg[:head]...)
	n, err := w.write(w.buf)
	switch {
	case err != nil && n == 0:
		w.buf = w.buf[:0]
		return err
	case err != nil:
		w.buf = append(w.buf[:copy(w.buf, w.buf[n:])], msg[head:]...)
		return err
	}
	w.buf = w.buf[:0]
	n, err = w.write(msg[head:])
	if err != nil {
		w.buf = append(w.buf, msg[head+n:]...)
	}
	return err
}

// write holds the stream to io.Writer's contract: all of p, or an error.
func (w *Writer) write(p []byte) (int, error) {
	n, err := w.dst.Write(p)
	n = min(max(n, 0), len(p))
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}
