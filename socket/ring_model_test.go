package socket

import (
	"fmt"
	"testing"
)

// The protocol of ring.go as a model: each step of either side makes one access to what
// both share, or one system call. The search visits each state that any interleaving can
// reach, with a crash before any step, and with calls that give up while they wait and
// begin anew. Where nobody has a step left, both must be at the end, and all that was
// published must have been taken: nobody sleeps while there is something to do, or while
// the other has gone.
//
// Whoever changes the order of accesses in ring.go, shared_recv.go or shared_send.go
// changes it here too.

type ringState struct {
	head, tail     uint8
	reader, writer bool  // asleep
	sock, bells    uint8 // bells unheard
	rung, chimed   bool  // the poller has seen something new on the socket, on the bells
	ended, dead    bool  // the writer's stream, the reader

	w, r    modelStep
	seen    uint8 // tail, by the writer
	got     uint8 // head, by the reader
	crashes uint8
	awake   bool // the reader has to withdraw
}

type modelStep uint8

const (
	look     modelStep = iota // at the other side's cursor
	prepare                   // the poller forgets what was new before
	again                     // look, as the poller's callback begins
	announce                  // asleep
	check                     // look once more
	withdraw                  // asleep no longer
	hear                      // one read of what rings
	sleep
	move   // the own cursor
	ask    // is the other asleep?
	half   // is there enough room for it?
	wipe   // its bit
	strike // for it
	last   // look: the other has ended
	end    // of the writer's stream
	done
	crashed
)

// ringModel is a configuration, or a mutant of the protocol.
type ringModel struct {
	size, total uint8 // bytes of the ring, of the stream
	message     uint8 // bytes that the writer would like to write at once
	most        uint8 // bytes that the reader takes at once
	crashes     uint8

	blind, deaf, forgetful, hasty, mute, early bool
}

const modelBells = 1 // that a socket holds

// unready is the step of who finds nothing to do at the first look.
func (m ringModel) unready() modelStep {
	if m.forgetful {
		return again
	}
	return prepare
}

func (m ringModel) write(s ringState) (ringState, bool) {
	need := min(m.message-s.head%m.message, m.total-s.head)
	free := func() uint8 { s.seen = s.tail; return m.size - (s.head - s.seen) }
	to := func(enough, not modelStep) modelStep {
		if free() >= min(need, m.size/2) {
			return enough
		}
		return not
	}
	first := move
	if m.early {
		first = ask
	}
	switch s.w {
	case look:
		if s.w = to(first, m.unready()); s.head == m.total {
			s.w = end
		}
	case prepare:
		if s.chimed, s.w = false, again; m.forgetful {
			s.w = sleep
		}
	case again:
		s.w = to(first, announce)
	case announce:
		if s.writer, s.w = true, check; m.blind {
			s.w = hear
		}
	case check:
		s.w = to(withdraw, hear)
	case withdraw:
		s.writer, s.w = false, first
	case hear:
		switch {
		case s.bells > 0 && !m.deaf:
			s.bells, s.w = 0, announce
		case s.dead:
			s.w = end
		default:
			if s.w = sleep; m.forgetful {
				s.w = prepare
			}
		}
	case sleep:
		if !s.chimed {
			return s, false
		}
		s.chimed, s.w = false, again
	case move:
		s.head += min(need, m.size-(s.head-s.seen))
		if s.w = ask; m.early {
			s.w = look
		}
	case ask:
		s.w = look
		if s.reader {
			s.w = wipe
		} else if m.early {
			s.w = move
		}
	case wipe:
		if s.w = strike; !s.reader {
			s.w = look
		}
		s.reader = false
	case strike:
		switch {
		case s.dead:
			s.w = end
		case m.mute:
			s.w = look
		default:
			s.sock, s.rung, s.w = min(s.sock+1, modelBells), s.rung || s.sock < modelBells, look
		}
		if m.early && s.w == look {
			s.w = move
		}
	case end:
		s.ended, s.rung, s.w = true, true, done
	default:
		return s, false
	}
	return s, true
}

func (m ringModel) read(s ringState) (ringState, bool) {
	to := func(found, not modelStep) modelStep {
		if s.got = s.head; s.got != s.tail {
			return found
		}
		return not
	}
	next := func() modelStep {
		if s.awake {
			return withdraw
		}
		return look
	}
	switch s.r {
	case look:
		s.r = to(move, m.unready())
	case prepare:
		if s.rung, s.r = false, again; m.forgetful {
			s.r = sleep
		}
	case again:
		s.r = to(move, announce)
	case announce:
		if s.reader, s.r = true, check; m.blind {
			s.r = hear
		}
	case check:
		s.r = to(move, hear)
		s.awake = s.r == move
	case withdraw:
		s.reader, s.awake, s.r = false, false, look
	case hear:
		switch {
		case s.sock > 0 && !m.deaf:
			s.sock, s.r = 0, announce
		case s.ended && m.hasty:
			s.r = done
		case s.ended:
			s.r = last
		default:
			if s.r = sleep; m.forgetful {
				s.r = prepare
			}
		}
	case sleep:
		if !s.rung {
			return s, false
		}
		s.rung, s.r = false, again
	case last:
		s.r = to(move, done)
	case move:
		s.tail += min(s.got-s.tail, m.most)
		s.r = ask
	case ask:
		if s.r = next(); s.writer {
			s.r = half
		}
	case half:
		if s.r = next(); s.head-s.tail <= m.size/2 {
			s.r = wipe
		}
	case wipe:
		if s.r = next(); s.writer {
			s.r = strike
		}
		s.writer = false
	case strike:
		if !m.mute {
			s.bells, s.chimed = min(s.bells+1, modelBells), s.chimed || s.bells < modelBells
		}
		s.r = next()
	default:
		return s, false
	}
	return s, true
}

// search returns how many states there are, and what is wrong with the first that is.
func (m ringModel) search() (int, error) {
	begin := ringState{reader: true} // as the maker of the memory leaves it
	seen := map[ringState]bool{begin: true}
	queue := []ringState{begin}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		visit := func(n ringState) {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
		w, writes := m.write(s)
		r, reads := m.read(s)
		if writes {
			visit(w)
		}
		if reads {
			visit(r)
		}
		over := s.w >= done && s.r >= done
		switch {
		case !writes && !reads && !over:
			return len(seen), fmt.Errorf("somebody sleeps for ever: %+v", s)
		case s.r == done && s.tail != s.head:
			return len(seen), fmt.Errorf("something is lost: %+v", s)
		case over && s.crashes == 0 && s.tail != m.total:
			return len(seen), fmt.Errorf("not all has come: %+v", s)
		}
		for _, giveUp := range []bool{s.w == sleep, s.r == sleep} {
			n := s
			if giveUp && s.w == sleep {
				n.w = look
				visit(n)
			}
			if n = s; giveUp && s.r == sleep {
				n.r = look
				visit(n)
			}
		}
		if s.crashes < m.crashes {
			if n := s; n.w < done {
				n.w, n.ended, n.rung, n.crashes = crashed, true, true, n.crashes+1
				visit(n)
			}
			if n := s; n.r < done {
				n.r, n.dead, n.chimed, n.crashes = crashed, true, true, n.crashes+1
				visit(n)
			}
		}
	}
	return len(seen), nil
}

func TestRingModel(t *testing.T) {
	for _, size := range []uint8{2, 4} {
		for _, message := range []uint8{1, 3, 7} {
			for _, most := range []uint8{1, 2, 4} {
				m := ringModel{size: size, total: 7, message: message, most: most, crashes: 2}
				n, err := m.search()
				if err != nil {
					t.Errorf("%+v: after %d states: %v", m, n, err)
				}
				t.Logf("ring of %d, messages of %d, read by %d: %d states", size, message, most, n)
			}
		}
	}
}

// The search finds each fault that the protocol is made to avoid.
func TestRingModelMutants(t *testing.T) {
	for name, m := range map[string]ringModel{
		"announces and does not look again":       {blind: true},
		"sleeps with bells unheard":               {deaf: true},
		"lets the poller forget after the look":   {forgetful: true},
		"does not look once more after the end":   {hasty: true},
		"clears the bit and does not ring":        {mute: true},
		"asks who sleeps before it has published": {early: true},
	} {
		m.size, m.total, m.message, m.most, m.crashes = 2, 7, 3, 1, 1
		if n, err := m.search(); err == nil {
			t.Errorf("a side that %s: not found in %d states", name, n)
		}
	}
}
