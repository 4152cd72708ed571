package model

import "fmt"

// What every step is checked for, by an observer who sees everything. The
// observer follows the swaps as they happen and knows therefore who owns each
// block, and what became of each message.

// fail records the first violation.
func (m *machine) fail(format string, args ...any) {
	if m.failure == "" {
		m.failure = fmt.Sprintf(format, args...)
	}
}

// count is how many messages there are in an entry.
func count(msgs [maxPack]uint8) int {
	n := 0
	for _, id := range msgs {
		if id != 0 {
			n++
		}
	}
	return n
}

// move changes the fate of message id.
func (m *machine) move(s *state, id, from, to uint8) {
	if s.fate[id] != from {
		m.fail("message %d becomes %s and was %s, not %s", id, fates[to], fates[s.fate[id]], fates[from])
	}
	s.fate[id] = to
}

var fates = [...]string{"unput", "queued", "in hand", "leased", "delivered", "gone"}

// checkBlocks: every block is named by one slot or owned by one lane.
func (m *machine) checkBlocks(s *state) {
	var seen uint
	for i := range m.cap {
		seen |= 1 << s.slot[i].block()
	}
	for k := range m.lanes {
		seen |= 1 << s.owner[k]
	}
	if seen != 1<<m.blocks-1 {
		m.fail("blocks have not one owner each: seen %b of %d", seen, m.blocks)
	}
}

// checkOwn: process p takes b for its lane's block.
func (m *machine) checkOwn(s *state, p int, b uint8, what string) {
	if k := s.proc[p].lane; s.owner[k] != b {
		m.fail("block %d %s by lane %d, which owns block %d", b, what, k, s.owner[k])
	}
}

// checkSpare: b holds no message that anybody still needs.
func (m *machine) checkSpare(s *state, b uint8, what string) {
	if s.content[b] != [maxPack]uint8{} {
		m.fail("block %d is %s while it holds messages %d", b, what, s.content[b])
	}
}

// didPublish: process p's swap at pr.pos succeeds.
func (m *machine) didPublish(s *state, p int) {
	pr := &s.proc[p]
	m.checkOwn(s, p, pr.own, "published")
	if pr.pos != s.gtail {
		m.fail("published at position %d, the tail is %d", pr.pos, s.gtail)
	}
	s.gtail++
	if pr.op == opPut {
		if s.eof {
			m.fail("put accepted after end of file")
		}
		s.content[pr.own] = m.doing(s, p).msgs
		for _, id := range s.content[pr.own] {
			if id != 0 {
				m.move(s, id, unput, queued)
			}
		}
	} else {
		any := false
		for i, id := range s.content[pr.own] {
			if id == 0 {
				continue
			}
			any = true
			m.move(s, id, leased, queued)
			if i < int(pr.next) {
				m.fail("message %d is published before the entry's next", id)
			}
		}
		if !any {
			m.fail("an entry without messages is published")
		}
	}
	s.owner[pr.lane] = pr.word.block()
}

// didTake: process p's swap at pr.pos succeeds.
func (m *machine) didTake(s *state, p int) {
	pr := &s.proc[p]
	b := pr.word.block()
	m.checkOwn(s, p, pr.own, "given as a spare")
	m.checkSpare(s, pr.own, "given as a spare")
	if pr.pos != s.ghead {
		m.fail("taken at position %d, the head is %d", pr.pos, s.ghead)
	}
	s.ghead++
	to := uint8(inHand)
	if pr.op == opLease {
		to = leased
	}
	for i, id := range s.content[b] {
		if id == 0 {
			continue
		}
		m.move(s, id, queued, to)
		if i < int(pr.word.next()) {
			m.fail("message %d is before the entry's next", id)
		}
	}
	s.owner[pr.lane] = b
}

// didAdvance: process p takes pr.n messages out of an entry that stays.
func (m *machine) didAdvance(s *state, p int) {
	pr := &s.proc[p]
	b := pr.word.block()
	if pr.head != s.ghead {
		m.fail("advanced at position %d, the head is %d", pr.head, s.ghead)
	}
	for i := pr.word.next(); i < pr.word.next()+pr.n; i++ {
		id := s.content[b][i]
		m.move(s, id, queued, inHand)
		s.hand[pr.lane][i] = id
		s.content[b][i] = 0
	}
}

// checkAdvanced: what process p copied is what it took.
func (m *machine) checkAdvanced(s *state, p int) {
	if pr := &s.proc[p]; pr.got != s.hand[pr.lane] {
		m.fail("torn: copied %d, took %d", pr.got, s.hand[pr.lane])
	}
}

func (m *machine) deliverHand(s *state, p int) {
	for _, id := range s.hand[s.proc[p].lane] {
		if id != 0 {
			m.move(s, id, inHand, delivered)
		}
	}
	s.hand[s.proc[p].lane] = [maxPack]uint8{}
}

// copyOwned reads the messages in process p's block.
func (m *machine) copyOwned(s *state, p int) {
	pr := &s.proc[p]
	switch meta := s.meta[pr.own]; pr.word.kind() {
	case kindMany:
		for i := pr.word.next(); i < meta&0xf && i < maxPack; i++ {
			pr.got[i] = s.pay[pr.own][i]
		}
	case kindLarge:
		pr.got[0] = m.readLarge(s, pr.own)
	default:
		pr.got[0] = s.pay[pr.own][0]
	}
}

// readLarge reads block b's chunks.
func (m *machine) readLarge(s *state, b uint8) uint8 {
	id := uint8(0)
	for i := range m.need {
		c := s.pay[b][i]
		if int(c) >= m.chunks || s.chunk[c] != b+1 {
			m.fail("corrupt: block %d lists chunk %d, which is not its own", b, c)
			return 0
		}
		if i > 0 && s.chunkData[c] != id {
			m.fail("torn: chunks of messages %d and %d", id, s.chunkData[c])
		}
		id = s.chunkData[c]
	}
	return id
}

// deliver: process p returns what it copied and owned.
func (m *machine) deliver(s *state, p int) {
	pr := &s.proc[p]
	b := pr.own
	if pr.got != s.content[b] {
		m.fail("torn: copied %d, took %d", pr.got, s.content[b])
	}
	for _, id := range s.content[b] {
		if id != 0 {
			m.move(s, id, inHand, delivered)
		}
	}
	s.content[b] = [maxPack]uint8{}
}

// readLeased: process p looks at the message that it leases.
func (m *machine) readLeased(s *state, p int) {
	pr := &s.proc[p]
	b := pr.own
	got := s.pay[b][pr.lnext]
	if s.meta[b]>>4 == kindLarge {
		got = m.readLarge(s, b)
	}
	want := s.content[b][pr.lnext]
	if got != want || want == 0 || s.fate[want] != leased {
		m.fail("torn: leased %d, read %d", want, got)
	}
}

// acknowledge: message i of process p's leased entry is finished.
func (m *machine) acknowledge(s *state, p int, i uint8) {
	b := s.proc[p].own
	m.move(s, s.content[b][i], leased, delivered)
	s.content[b][i] = 0
}

// die: the reaper's record says that the lane's block is a spare. What it holds
// is gone, and must have been counted.
func (m *machine) die(s *state, p int) {
	b := s.owner[s.proc[p].lane]
	for _, id := range s.content[b] {
		if id != 0 {
			m.move(s, id, inHand, gone)
			s.lost++
		}
	}
	s.content[b] = [maxPack]uint8{}
	if !m.packed {
		s.meta[b], s.pay[b] = 0, [maxPack]uint8{}
	}
}

// dieHand: the reaper no longer sees what lane k had taken out of an entry.
func (m *machine) dieHand(s *state, k uint8) {
	for _, id := range s.hand[k] {
		if id != 0 {
			m.move(s, id, inHand, gone)
			s.lostMany++
		}
	}
	s.hand[k] = [maxPack]uint8{}
}

// setAcquired marks block b as acquired at pos.
func (m *machine) setAcquired(s *state, p int, b, pos uint8) {
	if m.mutant != mutAcquiredLate {
		m.checkOwn(s, p, b, "marked as acquired")
	}
	if s.acquired[b] > pos {
		m.fail("block %d's acquired word goes back from %d to %d", b, s.acquired[b], pos)
	}
	s.acquired[b] = pos
}

// freeChunk frees chunk c for process p.
func (m *machine) freeChunk(s *state, p, c int) {
	m.checkOwn(s, p, s.chunk[c]-1, "loses a chunk")
	s.chunk[c], s.chunkData[c] = 0, 0
}

// checkFull: an operation says that the queue is full because of what it has just read.
func (m *machine) checkFull(s *state) {
	if int(s.gtail-s.ghead) != m.cap {
		m.fail("full with %d entries of %d", s.gtail-s.ghead, m.cap)
	}
}

// checkEmpty: the same for empty.
func (m *machine) checkEmpty(s *state) {
	if s.gtail != s.ghead {
		m.fail("empty with %d entries", s.gtail-s.ghead)
	}
}

// anyLeased reports whether a message may come back.
func (s *state) anyLeased() bool {
	for _, f := range s.fate {
		if f == leased {
			return true
		}
	}
	return false
}

// sayEOF: process p returns io.EOF.
func (m *machine) sayEOF(s *state, p int) {
	if s.gtail != s.ghead {
		m.fail("end of file with %d entries", s.gtail-s.ghead)
	}
	if s.anyLeased() {
		m.fail("end of file while a message is leased")
	}
	s.eof, m.sawEOF = true, true
	m.end(s, p)
}

// checkAwake is for a state in which nobody can move. If nobody was killed,
// nobody sleeps who has something to do: no wake-up is lost.
func (m *machine) checkAwake(s *state) {
	if int(s.crashes) != m.crashes {
		return // a sleep is bounded in time for this
	}
	for p := range m.procs {
		switch pr := &s.proc[p]; {
		case pr.asleep && pr.line == notEmpty && s.gtail != s.ghead:
			m.fail("process %d sleeps while %d entries wait", p, s.gtail-s.ghead)
		case pr.asleep && pr.line == notFull && int(s.gtail-s.ghead) < m.cap:
			m.fail("process %d sleeps while there is room", p)
		case pr.asleep && s.closed && !s.anyLeased():
			m.fail("process %d sleeps at the end of a closed queue", p)
		}
	}
}

// checkClean is for a state in which everybody is dead, all lanes are reaped,
// and all messages were got.
func (m *machine) checkClean(s *state) {
	var lost, lostMany uint8
	for k := range m.lanes {
		lost += s.lane[k].lost
		lostMany += s.lane[k].lostMany
		if s.lane[k].lock == 0 && s.lane[k].holder != 0 {
			m.fail("lane %d can't be reaped", k)
		}
	}
	if s.gtail != s.ghead {
		m.fail("%d entries can't be got", s.gtail-s.ghead)
	}
	for id, f := range s.fate {
		if f != unput && f != delivered && f != gone {
			m.fail("message %d stays %s for ever", id, fates[f])
		}
	}
	if lost != s.lost {
		m.fail("%d messages are counted as lost, %d are", lost, s.lost)
	}
	if lostMany < s.lostMany {
		m.fail("at most %d messages are counted as lost out of packed entries, %d are", lostMany, s.lostMany)
	}
	for c := range m.chunks {
		if s.chunk[c] != 0 {
			m.fail("chunk %d leaked: it belongs to block %d", c, s.chunk[c]-1)
		}
	}
}
