package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// minBuffer is a Reader's first buffer. A connection that carries little
	// never needs more; one that fills its buffer gets it doubled, up to
	// maxBuffer.
	minBuffer = 4 << 10
	maxBuffer = 64 << 10

	// growChunk bounds what a bare length makes us allocate: a longer message
	// gets more memory only when this much of it has arrived.
	growChunk = 16 << 10

	maxEmptyReads = 100
)

// Reader reads messages from a stream of frames.
//
//	      0        r              w        len(buf)
//	buf   [ done   | unread bytes | free   ]
//
//	body  what arrived of a message whose reading was interrupted
//
// It may read beyond the message that it returns, so nothing else may read the
// stream afterwards.
type Reader struct {
	src     io.Reader
	limit   uint64
	buf     []byte
	r, w    int
	filled  bool               // the last read filled all of buf
	large   bool               // the last message was one of directSize or more
	inBody  bool               // the header is consumed, want bytes belong to the message
	want    int                // length of the message under way
	body    []byte             // its bytes so far, ours, while interrupted
	first   []byte             // where the first growChunk bytes of a longer one go; nil until there was one
	memory  func(n int) []byte // see SetMemory; nil: nobody
	offset  int64              // stream offset behind what was consumed
	frame   int64              // stream offset behind the last frame returned
	readErr error              // came together with bytes; reported when they are used up
	err     error              // final
}

// NewReader returns a Reader of messages up to limit bytes; a limit of zero or
// below means DefaultLimit.
func NewReader(src io.Reader, limit int) *Reader {
	return &Reader{src: src, limit: limitOf(limit)}
}

// SetLimit changes the limit for messages whose header has not been read yet.
func (r *Reader) SetLimit(limit int) { r.limit = limitOf(limit) }

// SetMemory makes the Reader ask memory for the n bytes of each message of more
// than 16 KiB that does not fit the caller's buffer. What memory returns belongs to
// the message, if its capacity suffices; else the Reader allocates, as the bytes
// arrive.
func (r *Reader) SetMemory(memory func(n int) []byte) { r.memory = memory }

// Offset returns how many bytes of the stream the messages returned so far
// took up, headers included: where the next frame starts.
func (r *Reader) Offset() int64 { return r.frame }

// Buffered returns the number of bytes that were read from the stream and not
// yet returned.
func (r *Reader) Buffered() int { return r.w - r.r + len(r.body) }

// Next returns the length in bytes of the next message, if that lies in the Reader's
// buffer as a whole, was not begun before, and is within the limit.
func (r *Reader) Next() (n int, here bool) {
	p := r.buf[r.r:r.w]
	if len(p) < shortHeaderLen || r.inBody || r.err != nil {
		return 0, false
	}
	size := uint64(binary.BigEndian.Uint32(p)) // -1, a long header, is beyond any buffer
	if size > uint64(len(p)-shortHeaderLen) || size > r.limit {
		return 0, false
	}
	return int(size), true
}

// InFrame reports whether a frame has begun to arrive and is not yet returned.
func (r *Reader) InFrame() bool { return r.inBody || r.r < r.w }

// ReadMessage returns the next message. It uses the capacity of buf where that
// suffices (buf may be nil) and allocates otherwise; the result belongs to the
// caller.
//
// The error is io.EOF where the stream ends between two frames, and wraps
// ErrTruncated where it ends inside one, ErrTooLarge or ErrCorrupt where the
// peer broke the protocol: these are final. Any other error is the stream's
// own, and the next call resumes where this one stopped.
func (r *Reader) ReadMessage(buf []byte) ([]byte, error) {
	if msg, ok := r.TryBuffered(buf); ok {
		return msg, nil
	}
	if !r.inBody {
		if err := r.header(); err != nil {
			return nil, err
		}
	}
	n := r.want
	if len(r.body) == 0 && n <= r.w-r.r {
		if cap(buf) < n {
			buf = r.asked(n)
		}
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		copy(buf, r.buf[r.r:r.w])
		r.r += n
		r.done()
		return buf, nil
	}
	return r.longBody(buf)
}

// TryBuffered is ReadMessage where the next message lies in the Reader's buffer
// as a whole, was not begun before, and fits the capacity of buf. It returns
// false, and has done nothing, otherwise.
func (r *Reader) TryBuffered(buf []byte) ([]byte, bool) {
	n, here := r.Next()
	if !here || n > cap(buf) {
		return nil, false
	}
	buf = buf[:n]
	copy(buf, r.buf[r.r+shortHeaderLen:])
	r.r += shortHeaderLen + n
	r.offset += int64(shortHeaderLen + n)
	r.frame = r.offset
	r.large = n >= directSize
	return buf, true
}

// ReadRaw reads up to len(p) bytes that stand between two frames, for
// protocols that put something there. It reads no further. Errors are those of
// ReadMessage; ReadRaw inside a frame is an error.
func (r *Reader) ReadRaw(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.inBody {
		return 0, errors.New("frame: ReadRaw inside a frame")
	}
	n := copy(p, r.buf[r.r:r.w])
	r.r += n
	if n == 0 && len(p) > 0 {
		var err error
		if n, err = r.read(p); err != nil {
			return 0, err
		}
	}
	r.offset += int64(n)
	r.frame = r.offset
	return n, nil
}

// done accounts for the message that was just completed.
func (r *Reader) done() {
	r.offset += int64(r.want)
	r.frame = r.offset
	r.large = r.want >= directSize
	r.inBody, r.want, r.body = false, 0, nil
}

// header consumes the next header and sets want.
func (r *Reader) header() error {
	if r.err != nil {
		return r.err
	}
	for {
		size, need, err := parseHeader(r.buf[r.r:r.w])
		if err != nil {
			r.err = err
			return err
		}
		if have := r.w - r.r; have < need {
			if err := r.fill(need); err != nil {
				return err
			}
			continue
		}
		if size > r.limit {
			r.err = tooLarge(size, r.limit)
			return r.err
		}
		r.r += need
		r.offset += int64(need)
		r.inBody, r.want = true, int(size)
		return nil
	}
}

// longBody reads a message that is not wholly in the buffer. Its long part
// goes straight to where it stays; a tail shorter than the buffer goes through
// it, so that the messages behind it come with the same read.
func (r *Reader) longBody(buf []byte) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	n, got := r.want, len(r.body)
	dst := buf
	switch {
	case got > 0:
		dst = r.body // go on in our own memory
	case cap(buf) >= n:
	case n <= growChunk:
		dst = make([]byte, n)
	default:
		if dst = r.asked(n); cap(dst) >= n {
			break
		}
		if r.first == nil {
			r.first = make([]byte, growChunk)
		}
		dst = r.first
	}
	dst = dst[:min(n, cap(dst))]
	for got < n {
		if got == len(dst) {
			bigger := make([]byte, grown(len(dst), n))
			copy(bigger, dst)
			dst = bigger
		}
		if r.r < r.w {
			c := copy(dst[got:], r.buf[r.r:r.w])
			r.r += c
			got += c
			continue
		}
		var err error
		if n-got >= max(len(r.buf), minBuffer) {
			var c int
			c, err = r.read(dst[got:])
			got += c
		} else {
			err = r.fill(1)
		}
		if err != nil {
			return nil, r.interrupted(dst[:got], err)
		}
	}
	if r.body != nil && cap(buf) >= n {
		dst = append(buf[:0], dst...)
	}
	r.done()
	return dst, nil
}

// asked returns memory for a message of n bytes from whoever SetMemory named.
func (r *Reader) asked(n int) []byte {
	if r.memory == nil || n <= growChunk {
		return nil
	}
	return r.memory(n)
}

// grown returns how much memory a message of n bytes gets when had bytes are
// full: four times as much, or all of it if that is little more.
func grown(had, n int) int {
	if n <= 5*had {
		return n
	}
	return 4 * had
}

// interrupted keeps what arrived of a message when err stopped its reading.
// The first time, the bytes may lie in the caller's memory and move to ours.
func (r *Reader) interrupted(part []byte, err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, ErrTruncated):
		r.err = fmt.Errorf("%w: %d of %d bytes came", ErrTruncated, len(part), r.want)
		r.body = nil
		return r.err
	case r.body == nil && len(part) > 0:
		r.body = append(make([]byte, 0, min(r.want, 2*len(part))), part...)
	case r.body != nil:
		r.body = part
	}
	return err
}

// fill reads until at least need bytes are unread. The end of the stream is
// io.EOF if nothing of a frame has come and ErrTruncated otherwise.
func (r *Reader) fill(need int) error {
	if r.r == r.w {
		r.r, r.w = 0, 0
		switch {
		case r.buf == nil:
			r.buf = make([]byte, minBuffer)
		case r.filled && len(r.buf) < maxBuffer:
			r.buf = make([]byte, 2*len(r.buf))
		}
	} else if len(r.buf)-r.r < need {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	for r.w-r.r < need {
		room := r.buf[r.w:]
		if r.large && !r.inBody && len(room) > minBuffer {
			// Another large one is likely: its payload shall go straight to
			// where it stays.
			room = room[:minBuffer]
		}
		n, err := r.read(room)
		r.w += n
		r.filled = r.w == len(r.buf)
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			return err
		case r.w == r.r && !r.inBody:
			r.err = io.EOF
			return io.EOF
		default:
			r.err = ErrTruncated
			return ErrTruncated
		}
	}
	return nil
}

// read reads once from the stream. Bytes and an error are never returned
// together: the error waits for the next call.
func (r *Reader) read(p []byte) (int, error) {
	if err := r.readErr; err != nil {
		r.readErr = nil
		return 0, err
	}
	for range maxEmptyReads {
		n, err := r.src.Read(p)
		if n < 0 || n > len(p) {
			return 0, errors.New("frame: the stream's Read returned an impossible count")
		}
		if n > 0 {
			r.readErr = err
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}
