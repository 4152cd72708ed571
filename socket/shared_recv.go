package socket

import (
	"encoding/binary"
	"io"
	"os"
	"runtime/debug"
	"syscall"
)

// ring returns the shared memory if the stream that comes has entered it, else nil.
func (in *inbound) ring() *shared {
	if s := in.c.shared.Load(); s != nil && s.in.on {
		return s
	}
	return nil
}

// take takes what the ring has into in.p; in.err is EAGAIN if that is nothing, or if
// descriptors come first that are still on the socket.
func (in *inbound) take(s *shared) {
	in.n, in.err = 0, syscall.EAGAIN
	defer s.guard(debug.SetPanicOnFault(true), &in.err)
	r := &s.in
	n, err := r.here()
	for err == nil && n > 0 && r.claimed < r.sent {
		if len(r.records) == 0 {
			return
		}
		next := r.records[0]
		if next.at > r.at {
			n = min(n, int(min(next.at-r.at, uint64(n))))
			break
		}
		r.records = r.records[:copy(r.records, r.records[1:])]
		r.claimed++
		if next.at < r.at {
			closeFiles(next.files)
			err = errRing
			break
		}
		in.keep(in.pos, next.files, next.cut)
	}
	switch {
	case err != nil:
		in.err = err
	case n > 0:
		in.n = r.take(in.p[:min(len(in.p), n)], s.tellRoom)
		in.err = nil
		in.advance()
	}
}

// owed reports whether descriptors that belong to what is next are still on the socket.
func (r *sharedIn) owed() bool {
	return r.seen != r.at && r.claimed < r.sent && len(r.records) == 0
}

// draw takes, and fetches what descriptors are owed first.
func (in *inbound) draw(s *shared, fd int) {
	for range maxStale {
		if in.take(s); in.err != syscall.EAGAIN || !s.in.owed() {
			return
		}
		switch err := in.hear(s, fd); err {
		case nil:
		case syscall.EAGAIN, io.EOF, syscall.ECONNRESET:
			in.err = errRing // they are sent before that is said
			return
		default:
			in.err = err
			return
		}
	}
}

// maxStale bounds how often whoever prepares to sleep hears bells of before, a few dozen
// each time, and prepares anew. A peer that rings without end keeps nobody longer from
// seeing that the time is up.
const maxStale = 64

// listen prepares to sleep: it says so to the peer, takes what has come before that, and
// looks at the socket. It reports whether there is no need to sleep any more, or with
// EAGAIN that it shall be called again.
func (in *inbound) listen(s *shared, fd int) bool {
	for range maxStale {
		if in.announce(s); in.err != syscall.EAGAIN {
			return true
		}
		if in.draw(s, fd); in.err != syscall.EAGAIN {
			s.withdraw(s.in.reader)
			return true
		}
		switch err := in.hear(s, fd); err {
		case nil: // a bell of before, or of now
		case syscall.EAGAIN:
			return false
		case io.EOF, syscall.ECONNRESET:
			if in.take(s); in.err == syscall.EAGAIN { // all that it has published is taken
				in.n, in.err = 0, in.lastWord(s, fd, err)
			}
			return true
		default:
			in.err = err
			return true
		}
	}
	in.prepareWait()
	return true
}

func (in *inbound) announce(s *shared) {
	defer s.guard(debug.SetPanicOnFault(true), &in.err)
	s.in.announce(s.in.reader)
}

// lastWord returns why the peer has ended its stream, where the socket says end: nil if in
// good order, ECONNRESET if it has gone and left behind what we sent. The kernel says that
// also of a peer that has not heard all bells. Once both directions have ended, the socket
// looks hung up though the peer is there: then the bells tell.
func (in *inbound) lastWord(s *shared, fd int, end error) (err error) {
	defer s.guard(debug.SetPanicOnFault(true), &err)
	unread := s.out.tail.Load() != s.out.head.Load()
	if end == syscall.ECONNRESET {
		at := s.out.switched.Load() // 1: we have never sent by the socket
		unread = unread || at == 0 || at > 1 && s.out.reader.Load()&entered == 0
	}
	hup := unread && sysHungUp(fd)
	if hup && end != syscall.ECONNRESET && in.c.out.ended.Load() {
		_ = s.bells.raw.Control(func(fd uintptr) { hup = sysHungUp(int(fd)) })
	}
	if hup {
		return syscall.ECONNRESET
	}
	return nil
}

// hear reads once from the socket, beside which the stream passes: bells, and records of
// descriptors. It returns EAGAIN if there is nothing, io.EOF or ECONNRESET at the end.
func (in *inbound) hear(s *shared, fd int) error {
	var b [64]byte
	n, ctl, err := sysRecv(fd, b[:], in.controlRoom())
	switch {
	case n == 0 && err == nil:
		return io.EOF
	case err != nil:
		return err
	}
	return in.heard(s, b[:n], ctl)
}

// heard takes in b, which came over the socket with ctl. The kernel hands out descriptors
// with the first of their bytes, and lets a read end behind them: so those of ctl belong to
// the last record that begins in b.
func (in *inbound) heard(s *shared, b []byte, ctl control) error {
	r := &s.in
	var files []*os.File
	if ctl.length > 0 {
		files = parseFiles(in.control[:ctl.length])
	}
	cut := ctl.truncated
	for len(b) > 0 {
		if r.parts == 0 && b[0] == bellByte {
			b = b[1:]
			continue
		}
		if r.parts == 0 {
			if b[0] != recordByte || len(r.records) > 1 { // it publishes in between
				break
			}
			r.files, r.cut, files, cut = files, cut, nil, false
		}
		k := copy(r.part[r.parts:], b)
		b = b[k:]
		if r.parts += k; r.parts == recordLen {
			r.records = append(r.records, record{binary.BigEndian.Uint64(r.part[1:]), r.files, r.cut})
			r.files, r.parts = nil, 0
		}
	}
	if len(b) > 0 || len(files) > 0 || cut {
		closeFiles(files)
		return errRing
	}
	return nil
}

// enterRing looks whether the peer's stream has entered the ring, after a read from the
// socket with ctl: what that has brought of the stream stays in in.p[:in.n], the rest is
// heard. It reports whether the control message is settled too.
func (in *inbound) enterRing(s *shared, ctl control) (settled bool) {
	at, err := s.entrance(0)
	if err != nil || at < 0 {
		if err != nil {
			closeFiles(parseFiles(in.control[:ctl.length]))
			in.n, in.err = 0, err
		}
		return err != nil
	}
	beyond := in.pos + int64(in.n) - at
	if in.err == nil && in.n > 0 && beyond > 0 {
		if beyond > int64(in.n) {
			beyond = int64(in.n)
		}
		rest := in.p[in.n-int(beyond) : in.n]
		in.n -= int(beyond)
		if err := in.heard(s, rest, ctl); err != nil {
			in.n, in.err = 0, err
			return true
		}
		settled = true
	}
	if in.pos+int64(in.n) >= at {
		s.in.on = true
		_, _ = s.entrance(entered) // a fault is met again
	}
	return settled
}

// entrance returns where the peer's stream enters the ring, or -1, and stores what this
// reader has to say.
func (s *shared) entrance(say uint32) (at int64, err error) {
	defer s.guard(debug.SetPanicOnFault(true), &err)
	if say != 0 {
		s.in.reader.Or(say)
	}
	return int64(s.in.switched.Load()) - 1, nil
}

// glance looks at the ring a few times, and reports whether something has come.
func (s *shared) glance(err *error) bool {
	defer s.guard(debug.SetPanicOnFault(true), err)
	for range glances {
		if s.in.head.Load() != s.in.at {
			return true
		}
	}
	return false
}

// glances take about as long as one look at a socket.
const glances = 64

// forget closes the descriptors that belong to what was not taken.
func (r *sharedIn) forget() {
	closeFiles(r.files)
	for _, rec := range r.records {
		closeFiles(rec.files)
	}
	r.files, r.records = nil, nil
}
