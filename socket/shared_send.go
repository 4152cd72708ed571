package socket

import (
	"encoding/binary"
	"os"
	"runtime/debug"
	"syscall"
	"time"
)

// enterRing lets what is written next go through the ring. The caller has the turn.
func (out *outbound) enterRing(s *shared) {
	out.gate.move(s.bells.setReadDeadline)
	s.out.ring.at(stepSwitch)
	s.out.switched.Store(uint64(out.sent) + 1)
	s.out.on = true
}

// writeShared is WriteVector by the ring.
func (out *outbound) writeShared(s *shared, p, q []byte) (done int, err error) {
	if out.c.closed.Load() {
		return 0, os.ErrClosed
	}
	if out.ended.Load() {
		return 0, errEnded
	}
	defer s.guard(debug.SetPanicOnFault(true), &err)
	w := &s.out
	if !w.on {
		out.enterRing(s)
	}
	total := len(p) + len(q)
	w.bulk = total > len(w.data)
	for done < total {
		need := min(total-done, len(w.data)/2)
		free, still, err := w.room(need)
		if err == nil && (w.reader.Load()&gone != 0 || still && s.deserted()) {
			err = syscall.EPIPE
		}
		if err != nil {
			return done, out.cause(err)
		}
		if free < need && (out.ctx != nil || free == 0) {
			if err := out.waitForRoom(s, need); err != nil {
				return done, out.cause(err)
			}
			continue
		}
		if len(out.rights) > 0 {
			if err := out.sendRecord(s); err != nil {
				return done, out.cause(err)
			}
		}
		var n int
		if done < len(p) {
			n, err = w.put(p[done:], q, free, s.tellMore)
		} else {
			n, err = w.put(q[done-len(p):], nil, free, s.tellMore)
		}
		if done += n; err != nil {
			return done, out.cause(err)
		}
	}
	return done, nil
}

// sendRecord sends the call's descriptors ahead of the message that they belong to, of
// which some will be published in any case: there is room.
func (out *outbound) sendRecord(s *shared) error {
	record := binary.BigEndian.AppendUint64([]byte{recordByte}, s.out.ringWriter.at)
	out.gate.move(out.c.desc.Load().setWriteDeadline)
	defer out.gate.move(s.bells.setReadDeadline)
	if _, err := out.writeSocket(record, nil); err != nil {
		return err
	}
	s.out.ring.at(stepRecord)
	s.out.sent++
	s.out.records.Store(s.out.sent)
	return nil
}

// waitForRoom waits until need bytes can be written.
func (out *outbound) waitForRoom(s *shared, need int) error {
	if out.ctx == nil {
		return syscall.EAGAIN
	}
	s.out.need = need
	for {
		err := s.bells.raw.Read(s.out.wait)
		out.spin.woken()
		if err == nil && s.out.err != syscall.EAGAIN {
			return s.out.err
		}
		if err == nil { // see maxStale
			err = os.ErrDeadlineExceeded
		}
		if err = out.interrupted(err); err != nil {
			return err
		}
	}
}

// tryRoom looks for room, polls for it, and prepares to wait for it.
func (out *outbound) tryRoom(fd uintptr) bool {
	s := out.c.shared.Load()
	w := &s.out
	if w.enough() {
		return true
	}
	if out.c.spin.Load() >= 0 {
		if budget := out.spin.rest(); budget > 0 && out.spin.poll(budget, w.enough) {
			return true
		}
	}
	for range maxStale {
		w.announce(w.writer)
		if w.enough() {
			w.withdraw(w.writer)
			return true
		}
		var b [64]byte
		n, _, err := sysRecv(int(fd), b[:], nil)
		switch {
		case err == syscall.EAGAIN:
			out.spin.sleeps()
			if !out.waiting.Load() {
				out.waiting.Store(true)
				out.gate.watch(out.ctx, time.Time{})
			}
			return false
		case err == nil && n > 0: // a bell of before, or of now
		default:
			w.err = syscall.EPIPE
			return true
		}
	}
	w.err = syscall.EAGAIN
	return true
}

// enough reports whether the wait for room can end.
func (w *sharedOut) enough() bool {
	var free int
	free, _, w.err = w.room(w.need)
	if w.err == nil && w.reader.Load()&gone != 0 {
		w.err = syscall.EPIPE
	}
	return w.err != nil || free >= w.need
}
