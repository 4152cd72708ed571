//go:build linux && !ipcportable

package pipe

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// spliceMost bounds one splice. The pipe's own capacity is what limits it.
const spliceMost = 1 << 20

// spliceAll moves bytes by splice(2) until src ends.
//
//	one destination, a pipe on either side   src ───────────────▶ dst
//	one destination, no pipe                 src ──▶ [via] ─────▶ dst
//	two destinations                         src ─(▶ [via])─────▶ dst
//	                                              └─tee─(▶ [via2])▶ dup
//
// The error is errors.ErrUnsupported where the kernel can't; what was taken
// from src by then is in the destinations, and a plain copy can go on.
func spliceAll(ctx context.Context, moved *Moved, src io.Reader, dsts []io.Writer) error {
	in, ok := newEnd(src)
	if !ok {
		return errors.ErrUnsupported
	}
	outs := make([]*end, len(dsts))
	for i, dst := range dsts {
		if outs[i], ok = newEnd(dst); !ok {
			return errors.ErrUnsupported
		}
	}
	if len(outs) == 1 && (in.pipe || outs[0].pipe) {
		return direct(ctx, moved, in, outs[0])
	}
	if !in.pipe {
		return buffered(ctx, moved, in, outs)
	}
	return split(ctx, moved, in, outs[0], outs[1])
}

// direct moves bytes between two ends of which one is a pipe.
func direct(ctx context.Context, moved *Moved, in, out *end) error {
	s := newSplicer(ctx, in, out)
	for { // ends: the end of in, an error, ctx
		n, err := s.move(spliceMost)
		if n == 0 || err != nil {
			return err
		}
		moved.In += n
		moved.Out += n
		moved.Spliced += n
	}
}

// buffered fills a pipe from in and empties it into outs, in turns. As the pipe
// is empty when it is filled, it never has to wait for both sides at once.
func buffered(ctx context.Context, moved *Moved, in *end, outs []*end) error {
	r, w, err := New()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	viaIn, _ := newEnd(w)
	viaOut, _ := newEnd(r)
	fill := newSplicer(ctx, in, viaIn)
	for { // ends: the end of in, an error, ctx
		n, err := fill.move(relayChunk)
		if n == 0 || err != nil {
			return err
		}
		moved.In += n
		before := moved.In
		if len(outs) == 1 {
			err = exactly(ctx, moved, viaOut, outs[0], n)
		} else {
			err = splitExactly(ctx, moved, viaOut, outs[0], outs[1], n)
		}
		moved.In = before // the pipe between is no source
		if err != nil {
			return err
		}
	}
}

// split duplicates what a pipe brings until its end.
func split(ctx context.Context, moved *Moved, in, out, dup *end) error {
	for { // ends: the end of in, an error, ctx
		n, err := splitOnce(ctx, moved, in, out, dup, spliceMost)
		if n == 0 || err != nil {
			return err
		}
	}
}

// splitExactly duplicates the next n bytes of a pipe.
func splitExactly(ctx context.Context, moved *Moved, in, out, dup *end, n int64) error {
	for n > 0 { // ends: every round moves something
		k, err := splitOnce(ctx, moved, in, out, dup, n)
		if err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// splitOnce duplicates up to limit bytes of a pipe: tee(2) leaves them in it, so
// they go to dup first and are moved to out then.
func splitOnce(ctx context.Context, moved *Moved, in, out, dup *end, limit int64) (int64, error) {
	to := dup
	if !dup.pipe {
		r, w, err := New()
		if err != nil {
			return 0, err
		}
		defer r.Close()
		defer w.Close()
		to, _ = newEnd(w)
		viaOut, _ := newEnd(r)
		n, err := newTee(ctx, in, to).move(limit)
		if n == 0 || err != nil {
			return n, err
		}
		var aside Moved
		if err := exactly(ctx, &aside, viaOut, dup, n); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return 0, err
		}
		return n, exactly(ctx, moved, in, out, n)
	}
	n, err := newTee(ctx, in, to).move(limit)
	if n == 0 || err != nil {
		return n, err
	}
	return n, exactly(ctx, moved, in, out, n)
}

// exactly moves the next n bytes of the pipe in, which are there already, to
// out. Where out refuses to be spliced to, they are copied, and the error is
// errors.ErrUnsupported all the same.
func exactly(ctx context.Context, moved *Moved, in, out *end, n int64) error {
	s := newSplicer(ctx, in, out)
	for n > 0 { // ends: every round moves something or fails
		k, err := s.move(n)
		if errors.Is(err, errors.ErrUnsupported) {
			return copyExactly(ctx, moved, in, out, n)
		}
		if err == nil && k == 0 {
			err = io.ErrUnexpectedEOF // somebody else reads this pipe
		}
		if err != nil {
			return err
		}
		n -= k
		moved.In += k
		moved.Out += k
		moved.Spliced += k
	}
	return nil
}

// copyExactly moves n bytes through user space.
func copyExactly(ctx context.Context, moved *Moved, in, out *end, n int64) error {
	buf := make([]byte, min(n, relayChunk))
	for n > 0 { // ends: every round moves something or fails
		k, err := readFrom(in.of.(io.Reader), buf[:min(n, int64(len(buf)))])
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if err := copyOnce(moved, []io.Writer{out.of.(io.Writer)}, buf[:k]); err != nil {
			return err
		}
		n -= int64(k)
	}
	return errors.ErrUnsupported
}

// end is one side of a splice.
type end struct {
	of     any // what the caller passed
	raw    syscall.RawConn
	pipe   bool
	parks  bool // the runtime's poller can wait for it
	always bool // a regular file: never waits
	stay   bool // a FIFO's reader that waits for the next writer
}

// newEnd returns the descriptor behind x, if it is of a type whose Read and
// Write are known to be read(2) and write(2) on it and nothing more.
func newEnd(x any) (*end, bool) {
	e := &end{of: x}
	var c syscall.Conn
	switch x := x.(type) {
	case *Reader:
		c, e.stay = x.d.file, x.d.stay
		if x.mode != stream {
			return nil, false
		}
	case *Writer:
		c = x.d.file
		if x.mode != stream {
			return nil, false
		}
	case *os.File:
		c = x
	case *net.TCPConn:
		c = x
	case *net.UnixConn:
		c = x
	default:
		return nil, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, false // closed: the plain copy says so
	}
	e.raw = raw
	ok := false
	err = raw.Control(func(fd uintptr) { ok = e.examine(int(fd)) })
	return e, ok && err == nil
}

// examine finds out how fd waits, and whether it carries a stream.
func (e *end) examine(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return false
	}
	e.parks = flags&unix.O_NONBLOCK != 0
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
		e.pipe = true
		return !isPacket(flags) // bytes would join messages
	case unix.S_IFREG:
		e.always, e.parks = true, false
	case unix.S_IFSOCK:
		typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		return err == nil && typ == unix.SOCK_STREAM
	}
	return true
}

// splicer moves bytes from one end to another and waits for whichever is not
// ready. EAGAIN doesn't say which; poll(2) does.
//
// Each attempt runs inside the poller's callback of the side that it may have
// to wait for, so that no readiness between the attempt and the wait is missed.
type splicer struct {
	ctx     context.Context
	in, out *end
	call    func(in, out, limit int) (int64, error)

	limit      int
	inFD       int
	outFD      int
	n          int64
	err        error
	gone       bool // in has no writer at the moment
	inReady    bool // what poll(2) said after EAGAIN
	outReady   bool
	tryIn      func(fd uintptr) bool // bound once
	tryOut     func(fd uintptr) bool
	withIn     func(fd uintptr)
	withOut    func(fd uintptr)
	stalemates int
}

func newSplicer(ctx context.Context, in, out *end) *splicer {
	s := &splicer{ctx: ctx, in: in, out: out, call: splice}
	s.tryIn = func(fd uintptr) bool {
		s.inFD = int(fd)
		if err := s.out.raw.Control(s.withOut); err != nil {
			s.err = os.ErrClosed
		}
		return s.err != unix.EAGAIN || s.inReady || !s.in.parks
	}
	s.withOut = func(fd uintptr) {
		s.outFD = int(fd)
		if s.attempt(); s.err == unix.EAGAIN {
			s.inReady = !s.gone && (s.in.always || pollNow(s.inFD, unix.POLLIN) != 0)
		}
	}
	s.tryOut = func(fd uintptr) bool {
		s.outFD = int(fd)
		if err := s.in.raw.Control(s.withIn); err != nil {
			s.err = os.ErrClosed
		}
		return s.err != unix.EAGAIN || s.outReady || !s.out.parks
	}
	s.withIn = func(fd uintptr) {
		s.inFD = int(fd)
		if s.attempt(); s.err == unix.EAGAIN {
			s.outReady = s.out.always || pollNow(s.outFD, unix.POLLOUT) != 0
		}
	}
	return s
}

func newTee(ctx context.Context, in, out *end) *splicer {
	s := newSplicer(ctx, in, out)
	s.call = tee
	return s
}

func splice(in, out, limit int) (int64, error) {
	n, err := unix.Splice(in, nil, out, nil, limit, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int64(n), err
}

func tee(in, out, limit int) (int64, error) {
	n, err := unix.Tee(in, out, limit, unix.SPLICE_F_NONBLOCK)
	return int64(int(n)), err // on 32-bit systems x/sys adds a register of garbage above the result
}

// attempt calls once. A FIFO that waits for its next writer is not ready.
func (s *splicer) attempt() {
	for { // ends: only a signal is a reason to try again
		s.n, s.err = s.call(s.inFD, s.outFD, s.limit)
		if s.err != unix.EINTR {
			break
		}
	}
	if s.gone = s.n == 0 && s.err == nil && s.in.stay; s.gone {
		s.err = unix.EAGAIN
	}
}

// move moves between 1 and limit bytes, and none at the end of in. The error is
// errors.ErrUnsupported where the kernel refuses; nothing has moved then.
func (s *splicer) move(limit int64) (int64, error) {
	s.limit = int(limit)
	for { // ends: bytes, the end, an error, ctx
		if err := s.waitBlocking(); err != nil {
			return 0, err
		}
		if err := s.in.raw.Read(s.tryIn); err != nil {
			return 0, waitFailed(err)
		}
		s.outReady = false
		if s.err == unix.EAGAIN && s.inReady { // so it is out that isn't
			if err := s.out.raw.Write(s.tryOut); err != nil {
				return 0, waitFailed(err)
			}
		}
		switch s.err {
		case nil:
			s.stalemates = 0
			return s.n, nil
		case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP, unix.EPERM:
			return 0, errors.ErrUnsupported
		case unix.EAGAIN:
			if s.stuck() {
				return 0, errors.ErrUnsupported
			}
		default:
			return 0, os.NewSyscallError("splice", s.err)
		}
	}
}

// stuck reports that both sides keep saying that they are ready and the kernel
// moves nothing: some device's splice does not do what its poll promises.
func (s *splicer) stuck() bool {
	const patience = 100
	if s.inReady && s.outReady {
		s.stalemates++
	}
	return s.stalemates > patience
}

// waitFailed translates the poller's error for a closed file.
func waitFailed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return os.ErrClosed
}

// waitBlocking waits for the sides that the poller can't wait for: descriptors
// in blocking mode, such as a standard input inherited from a shell, whose mode
// is not ours to change.
func (s *splicer) waitBlocking() error {
	for _, side := range []struct {
		*end
		events int16
	}{{s.in, unix.POLLIN}, {s.out, unix.POLLOUT}} {
		if side.parks || side.always {
			continue
		}
		var err error
		cerr := side.raw.Control(func(fd uintptr) { err = pollWait(s.ctx, int(fd), side.events) })
		if cerr != nil {
			return os.ErrClosed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pollWait waits in poll(2) until fd is ready or ctx ends.
func pollWait(ctx context.Context, fd int, events int16) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	if ctx.Done() != nil && pollNow(fd, events) == 0 {
		_, alarm, err := openPipe(stream)
		if err != nil {
			return err
		}
		rung := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			_, _ = unix.Write(alarm[1], []byte{0}) // an empty pipe has room
			close(rung)
		})
		defer func() {
			if !stop() {
				<-rung
			}
			_ = unix.Close(alarm[0])
			_ = unix.Close(alarm[1])
		}()
		fds = append(fds, unix.PollFd{Fd: int32(alarm[0]), Events: unix.POLLIN})
	}
	for { // ends: only a signal is a reason to wait again
		_, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("poll", err)
		}
		return ctx.Err()
	}
}
