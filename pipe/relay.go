package pipe

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// Moved is what [Relay] or [Tee] did, whether it ended well or not.
type Moved struct {
	In      int64 // bytes taken from src
	Out     int64 // bytes that dst has; less than In only with an error
	Spliced int64 // how many of Out never entered user space
}

// relayChunk is how many bytes Relay moves at a time.
const relayChunk = 64 << 10

// Relay moves bytes from src to dst until src ends or ctx does.
//
// On Linux the kernel moves them by reference (splice(2)) where each side is a
// [Reader], a [Writer], an *os.File, a *net.TCPConn or a *net.UnixConn of
// stream type; between two sides of which neither is a pipe, a pipe of Relay's
// own stands. Other types, other systems, and files that refuse (a dst opened
// for appending) get a plain copy. Types that embed one of these are copied
// with their own Read and Write.
//
// The end of src is no error. When ctx ends, the error wraps ctx.Err(); a side
// that has no deadlines and is not a descriptor notices it only between two
// chunks of 64 KiB. Deadlines that the caller set on a connection or file end
// the Relay too, and are cleared if ctx ended it.
func Relay(ctx context.Context, dst io.Writer, src io.Reader) (Moved, error) {
	return relayAll(ctx, "relay", src, dst)
}

// Tee is Relay to two destinations: every byte of src goes to dup and to dst.
// On Linux the bytes are duplicated by reference too (tee(2)). The slower one
// sets the pace. Moved.Out counts what both have.
func Tee(ctx context.Context, dst, dup io.Writer, src io.Reader) (Moved, error) {
	return relayAll(ctx, "tee", src, dst, dup)
}

func relayAll(ctx context.Context, op string, src io.Reader, dsts ...io.Writer) (Moved, error) {
	var moved Moved
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	cause := func(err error) error {
		if err != nil && within.Err() != nil && ctx.Err() == nil {
			return os.ErrClosed // a pipe's end that was closed has ended the Relay
		}
		return err
	}
	if r, ok := src.(*Reader); ok {
		nothing := func(context.Context) error { return nil }
		unlock, err := lockFor(within, &r.mu, r.d, nothing, &cancel)
		if err != nil {
			return moved, r.fail(op, cause(err))
		}
		defer unlock()
	}
	for _, w := range writersOf(dsts) {
		unlock, err := lockFor(within, &w.mu, w.d, w.flush, &cancel)
		if err != nil {
			return moved, w.fail(op, cause(err))
		}
		defer unlock()
	}
	err := moveAll(within, &moved, src, dsts)
	return moved, fail(op, "", cause(err))
}

// writersOf returns the pipes' ends among dsts, each once, in the order in which
// every Tee locks them: two that share both ends would wait for each other.
func writersOf(dsts []io.Writer) (writers []*Writer) {
	for _, dst := range dsts {
		if w, ok := dst.(*Writer); ok && !slices.Contains(writers, w) {
			writers = append(writers, w)
		}
	}
	slices.SortFunc(writers, func(a, b *Writer) int { return cmp.Compare(a.d.fd, b.d.fd) })
	return writers
}

// lockFor locks a pipe's end for a Relay, which cancel ends if the end is closed.
// What is buffered goes out first, while Close still waits for the lock and
// reports what did not.
func lockFor(ctx context.Context, mu *mutex, d *desc, flush func(context.Context) error, cancel *context.CancelFunc) (unlock func(), err error) {
	if err := mu.lock(ctx); err != nil {
		return nil, err
	}
	if err := flush(ctx); err != nil {
		mu.unlock()
		return nil, err
	}
	d.relay.Store(cancel)
	unlock = func() {
		d.relay.Store(nil)
		mu.unlock()
	}
	if d.closed.Load() { // or its Close sees the Relay
		unlock()
		return nil, os.ErrClosed
	}
	return unlock, nil
}

// moveAll moves bytes with the locks of src and dsts held.
func moveAll(ctx context.Context, moved *Moved, src io.Reader, dsts []io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r, ok := src.(*Reader); ok {
		if r.mode == stream && r.ahead() {
			return errMixed
		}
		if len(r.d.head) > 0 { // what the poller can't tell of goes by copy
			if err := copyOnce(moved, dsts, r.d.head); err != nil {
				return err
			}
			r.d.head = nil
		}
		r.d.grow(roomy)
	}
	for _, dst := range dsts {
		if w, ok := dst.(*Writer); ok {
			w.d.grow(roomy)
		}
	}
	restore := interruptAll(ctx, src, dsts)
	defer restore()
	err := spliceAll(ctx, moved, src, dsts)
	if errors.Is(err, errors.ErrUnsupported) {
		err = copyAll(ctx, moved, src, dsts)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		err = ctx.Err()
	}
	return err
}

// deadliner is a side whose waiting a deadline ends: *os.File, net.Conn, desc.
type deadliner struct{ set func(time.Time) error }

func readSide(src io.Reader) (d deadliner, ok bool) {
	switch s := src.(type) {
	case *Reader:
		return deadliner{s.d.deadline}, true
	case interface{ SetReadDeadline(time.Time) error }:
		return deadliner{s.SetReadDeadline}, true
	}
	return d, false
}

func writeSide(dst io.Writer) (d deadliner, ok bool) {
	switch s := dst.(type) {
	case *Writer:
		return deadliner{s.d.deadline}, true
	case interface{ SetWriteDeadline(time.Time) error }:
		return deadliner{s.SetWriteDeadline}, true
	}
	return d, false
}

// interruptAll makes the end of ctx the deadline of every side that has one.
func interruptAll(ctx context.Context, src io.Reader, dsts []io.Writer) (restore func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	var sides []deadliner
	if d, ok := readSide(src); ok {
		sides = append(sides, d)
	}
	for _, dst := range dsts {
		if d, ok := writeSide(dst); ok {
			sides = append(sides, d)
		}
	}
	return interrupt(ctx, func(t time.Time) error {
		for _, d := range sides {
			_ = d.set(t) // a regular file has no deadlines, and never waits long
		}
		return nil
	})
}

// copyAll moves bytes through user space until src ends.
func copyAll(ctx context.Context, moved *Moved, src io.Reader, dsts []io.Writer) error {
	buf := make([]byte, relayChunk)
	for { // ends: the end of src, an error, ctx
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := readFrom(src, buf)
		if n > 0 {
			if err := copyOnce(moved, dsts, buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// copyOnce writes p, just taken from the source, to every destination.
func copyOnce(moved *Moved, dsts []io.Writer, p []byte) error {
	moved.In += int64(len(p))
	for i, dst := range dsts {
		n, err := writeTo(dst, p)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			if i == len(dsts)-1 { // those before have all of p
				moved.Out += int64(max(n, 0))
			}
			return err
		}
	}
	moved.Out += int64(len(p))
	return nil
}

// readFrom and writeTo use a pipe's end whose lock is held. The deadline that
// the end of ctx sets is set already, so there is no context to pass.
func readFrom(src io.Reader, p []byte) (int, error) {
	if r, ok := src.(*Reader); ok {
		return r.read(context.Background(), p)
	}
	return src.Read(p)
}

func writeTo(dst io.Writer, p []byte) (int, error) {
	w, ok := dst.(*Writer)
	if !ok {
		return dst.Write(p)
	}
	if w.mode == stream {
		return w.write(context.Background(), p)
	}
	for done := 0; done < len(p); done += MaxPacket {
		n, err := w.write(context.Background(), p[done:min(done+MaxPacket, len(p))])
		if err != nil {
			return done + n, err
		}
	}
	return len(p), nil
}

// WriteTo moves everything that r brings until its end to dst, as [Relay] does,
// for io.Copy.
func (r *Reader) WriteTo(dst io.Writer) (int64, error) {
	m, err := Relay(context.Background(), dst, r)
	return m.Out, err
}

// ReadFrom moves everything that src brings until its end into the pipe, as
// [Relay] does, for io.Copy.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	m, err := Relay(context.Background(), w, src)
	return m.In, err
}
