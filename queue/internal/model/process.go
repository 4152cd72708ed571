package model

// The protocol. Each case of access is one shared access and the private
// computing up to the next one; its name says which access of package queue it
// is. Reads and writes of a block's payload by its owner are not interleaved
// where no other process reads payload: see private.

// pc is where a process stands: the access that it makes next.
type pc uint16

const (
	pcNone pc = iota

	// Put, PutBatch (put.go, block.go)
	pcPutClosed // writable: the closed flag
	pcRoom      // room: a slot
	pcFill      // one word of the payload
	pcClaimRead // fillLarge: a chunk's word
	pcClaim     // fillLarge: compare-and-swap
	pcMeta      // describe

	// putAt, and room once more (ring.go)
	pcPubRead
	pcPubHurry // hinted, past some steps of the walk
	pcPubCAS
	pcPubAcquired
	pcPubHint

	// the record that swap stores, and raise (ring.go)
	pcRest
	pcHigh
	pcRecord

	// freeList, freeLarge (block.go)
	pcFree

	// Get, GetBatch, Lease (get.go, lease.go)
	pcPeek
	pcPeekHurry
	pcGetClosed
	pcSealRead
	pcSealCAS
	pcDrained
	pcDrainedAgain
	pcTakeIdle
	pcCursor
	pcTakeCAS
	pcTakeAcquired
	pcTakeHint
	pcLeaseLost // no lease, but its record was announced: idle
	pcCopy      // the block's meta, payload and chunks, owned
	pcGetIdle
	pcUnpackMeta
	pcHand
	pcUnpackCopy
	pcAdvance
	pcHandClear
	pcHandVoid
	pcChanged

	// Ack, Nack, CloseWrite
	pcAckCursor
	pcAckIdle
	pcGiveIdle
	pcClose

	// reap, join (reap.go, lanes.go)
	pcLock
	pcSettle
	pcHappenedSlot
	pcHappenedAcquired
	pcNamesRecord
	pcNamesHigh
	pcNamesAgain
	pcHappenedAgain
	pcSettleAcquired
	pcNewTail
	pcNewHead
	pcLost
	pcLostMany
	pcHandZero
	pcFreeAll
	pcReapIdle
	pcHolder
	pcUnlock
	pcLeaveHolder
	pcLeave

	// arm, notify, the sleep in the kernel (ring.go, wait.go)
	pcArmRead
	pcArm
	pcSleep
	pcNotify
	pcNotifyAdd
	pcWake
	pcDisarm
	pcLeaseOver
	pcAllAdd
	pcAllWake

	// Not accesses: where publish, free and giveBack return to.
	pcEnd
	pcWait
	pcPutDone
	pcGiveDone
	pcNackDone
	pcReapGiven
)

// result is how publish and giveBack end.
type result uint16

const (
	ok result = iota
	full
	sealed
)

// private reports whether the access cannot be told from one made at the same
// time as the access before: nobody else can see it or change what it sees.
// A crash between the two leaves the same state for everybody else.
func (m *machine) private(p pc) bool {
	switch p {
	case pcCopy:
		return m.mutant != mutAckBeforeCopy
	case pcFill, pcMeta:
		return !m.packed
	}
	return false
}

// enabled reports whether process p can make an access.
func (m *machine) enabled(s *state, p int) bool {
	pr := &s.proc[p]
	if pr.mode != alive {
		return false
	}
	if pr.asleep {
		return false
	}
	return pr.pc != pcLock || m.freeLane(s, m.procs[p][pr.sc].op) >= 0
}

// freeLane returns a lane whose lock is free, for Reap only one that has to be
// put in order.
func (m *machine) freeLane(s *state, op opcode) int {
	for k := range m.lanes {
		if s.lane[k].lock == 0 && (s.lane[k].holder != 0 || op == Join) {
			return k
		}
	}
	return -1
}

// step lets process p, which is enabled, make its next access.
func (m *machine) step(s *state, p int) {
	m.access(s, p)
	for s.proc[p].mode == alive && m.private(s.proc[p].pc) && m.failure == "" {
		m.access(s, p)
	}
}

// crash kills process p: the kernel drops its locks.
func (m *machine) crash(s *state, p int) {
	for k := range m.lanes {
		if s.lane[k].lock == uint8(p+1) {
			s.lane[k].lock = 0
		}
	}
	s.proc[p] = proc{mode: dead}
}

// begin starts the next operation of process p that has something to do.
func (m *machine) begin(s *state, p int) {
	pr := &s.proc[p]
	pr.temp = temp{}
	for script := m.procs[p]; int(pr.sc) < len(script); pr.sc++ {
		op := script[pr.sc].op
		if !pr.has && op != Reap && op != Join {
			continue // it found no lane
		}
		if pr.leased != (op == Ack || op == Nack) {
			if op == Lease {
				m.readLeased(s, p) // kept
			}
			if pr.leased || op == Ack || op == Nack {
				continue
			}
		}
		m.start(s, p, op)
		return
	}
	*pr = proc{mode: done, lane: pr.lane, has: pr.has, own: pr.own, leased: pr.leased}
}

// start begins op, which has something to do.
func (m *machine) start(s *state, p int, op opcode) {
	pr := &s.proc[p]
	switch op {
	case Put, PutMany, PutLarge:
		m.startPut(s, p)
	case Get, GetMany:
		pr.op, pr.c, pr.pc = opTake, pr.head, pcPeek
	case Lease:
		pr.op, pr.c, pr.pc = opLease, pr.head, pcPeek
	case Ack:
		m.startAck(s, p)
	case Nack:
		pr.retGive = pcNackDone
		m.startGiveBack(s, p)
	case Close:
		pr.pc = pcClose
	case Reap, Join:
		pr.pc = pcLock
	case Leave:
		pr.pc = pcLeaveHolder
	}
}

// end finishes the operation of process p.
func (m *machine) end(s *state, p int) {
	pr := &s.proc[p]
	if b := pr.own; pr.has && !m.packed && s.content[b] == [maxPack]uint8{} {
		s.meta[b], s.pay[b] = 0, [maxPack]uint8{} // nobody reads what is left there
	}
	pr.sc++
	m.begin(s, p)
}

// jump continues process p at to.
func (m *machine) jump(s *state, p int, to pc) {
	pr := &s.proc[p]
	switch to {
	case pcEnd:
		m.end(s, p)
	case pcPutDone:
		switch {
		case pr.res != ok && pr.kind == kindLarge:
			m.startFree(s, p, pcEnd)
		case pr.res == ok:
			m.notify(s, p, notEmpty)
		default:
			m.wait(s, p, notFull)
		}
	case pcWait:
		m.wait(s, p, notEmpty)
	case pcLeaseOver:
		m.leaseOver(s, p, pcEnd)
	case pcPeek:
		m.peekAgain(s, p)
	case pcGiveDone:
		if pr.res == ok {
			pr.pc = pcGiveIdle
			return
		}
		m.jump(s, p, pr.retGive)
	case pcNackDone:
		if pr.res == ok {
			pr.leased, pr.lnext = false, 0
			m.notifyThen(s, p, notEmpty, pcLeaseOver)
			return
		} else if s.meta[pr.own]>>4 == kindMany {
			pr.lnext = s.lane[pr.lane].cursor // kept for the next Lease
		}
		m.end(s, p)
	case pcReapGiven:
		if pr.res == ok {
			pr.pc = pcHolder
		} else {
			pr.pc = pcUnlock
		}
	default:
		pr.pc = to
	}
}

func (m *machine) lap(pos uint8) int         { return int(pos) / m.cap }
func (m *machine) at(pos uint8) int          { return int(pos) % m.cap }
func (m *machine) hi(pos uint8) uint8        { return pos >> m.posBits }
func (m *machine) low(pos uint8) uint8       { return pos & (1<<m.posBits - 1) }
func (m *machine) script(p, i int) *do       { return &m.procs[p][i] }
func (m *machine) doing(s *state, p int) *do { return m.script(p, int(s.proc[p].sc)) }

// setRecord is every store to a lane's record.
func (m *machine) setRecord(s *state, p int, op, pos, other uint8) {
	pr := &s.proc[p]
	m.checkOwn(s, p, pr.own, "named in a record")
	s.lane[pr.lane].rec = makeRecord(op, m.low(pos), pr.own, other)
}

// catchUp is ring.catchUp on positions.
func (m *machine) catchUp(c uint8, d int, putDone bool) uint8 {
	if !putDone {
		d--
	}
	return c + uint8(d*m.cap) + 1
}

// walk moves the cursor of process p to c, and to the hint read by hurry if
// that was the walk's step to look at it.
func (m *machine) walk(s *state, p int, c uint8, hurry pc) {
	pr := &s.proc[p]
	pr.c = c
	if m.hurry == 0 || int(pr.i) >= m.hurry {
		return
	}
	if pr.i++; int(pr.i) == m.hurry {
		pr.pc = hurry
	}
}

func (m *machine) startPut(s *state, p int) {
	switch pr := &s.proc[p]; {
	case m.closing:
		pr.pc = pcPutClosed
	case m.room:
		pr.c, pr.pc = pr.tail, pcRoom
	default:
		m.startFill(s, p)
	}
}

func (m *machine) startFill(s *state, p int) {
	pr := &s.proc[p]
	m.checkSpare(s, pr.own, "filled")
	pr.pc, pr.kind, pr.n = pcFill, kindOne, 1
	switch m.doing(s, p).op {
	case PutMany:
		pr.kind = kindMany
		pr.n = uint8(count(m.doing(s, p).msgs))
	case PutLarge:
		pr.kind, pr.pc, pr.n = kindLarge, pcClaimRead, 0
	}
}

// startPublish begins publish; it continues at ret with res.
func (m *machine) startPublish(s *state, p int, op, kind, next uint8, ret pc) {
	pr := &s.proc[p]
	pr.op, pr.kind, pr.next, pr.retPub = op, kind, next, ret
	pr.c, pr.i, pr.pc = pr.tail, 0, pcPubRead
}

func (m *machine) published(s *state, p int, r result) {
	pr := &s.proc[p]
	pr.res = r
	m.jump(s, p, pr.retPub)
}

// startAnnounce begins announce of the swap at pos; it continues at ret.
func (m *machine) startAnnounce(s *state, p int, pos uint8, ret pc) {
	pr := &s.proc[p]
	pr.pos, pr.retAnn, pr.pc = pos, ret, pcRecord
	if m.hi(pos) != pr.high {
		pr.pc = pcRest
		if m.mutant == mutHighNotIdle {
			pr.pc = pcHigh
		}
	}
}

// startFree begins freeLarge; it continues at ret.
func (m *machine) startFree(s *state, p int, ret pc) {
	pr := &s.proc[p]
	pr.i, pr.n, pr.retFree, pr.pc = 0, s.meta[pr.own]&0xf, ret, pcFree
	if pr.n == 0 {
		m.jump(s, p, ret)
	}
}

func (m *machine) startTake(s *state, p int) {
	pr := &s.proc[p]
	switch {
	case pr.word.kind() == kindMany && m.mutant == mutCursorNotIdle:
		pr.pc = pcCursor
	case pr.word.kind() == kindMany:
		pr.pc = pcTakeIdle
	default:
		m.startAnnounce(s, p, pr.head, pcTakeCAS)
	}
}

func (m *machine) peekAgain(s *state, p int) {
	pr := &s.proc[p]
	pr.c, pr.i, pr.pc = pr.head, 0, pcPeek
}

func (m *machine) startAck(s *state, p int) {
	pr := &s.proc[p]
	switch meta := s.meta[pr.own]; {
	case meta>>4 == kindMany && pr.lnext+1 < meta&0xf:
		pr.pc = pcAckCursor
	case meta>>4 == kindLarge && m.mutant == mutAckFreesFirst:
		m.startFree(s, p, pcAckIdle)
	default:
		pr.pc = pcAckIdle
	}
}

// startGiveBack begins giveBack; it continues at retGive.
func (m *machine) startGiveBack(s *state, p int) {
	pr := &s.proc[p]
	kind, next := s.meta[pr.own]>>4, uint8(0)
	if kind == kindMany {
		next = s.lane[pr.lane].cursor
	}
	m.startPublish(s, p, opRequeue, kind, next, pcGiveDone)
}

// access makes one access of process p.
func (m *machine) access(s *state, p int) {
	m.accesses++
	pr := &s.proc[p]
	ln := &s.lane[pr.lane]
	if m.accessReap(s, p, pr, ln) || m.accessSleep(s, p, pr) {
		return
	}
	switch pr.pc {
	case pcPutClosed:
		if s.closed {
			m.end(s, p)
		} else if m.room {
			pr.c, pr.pc = pr.tail, pcRoom
		} else {
			m.startFill(s, p)
		}

	case pcRoom:
		w := s.slot[m.at(pr.c)]
		switch d := w.lap() - m.lap(pr.c); {
		case d == 0 && w.filled():
			pr.c++
		case d > 0:
			pr.c = m.catchUp(pr.c, d, w.filled())
		case d == 0 && w.kind() == kindEmpty:
			pr.tail, pr.word = pr.c, w
			m.startFill(s, p)
		case d == 0 && w.kind() == kindSealed:
			pr.tail = pr.c
			m.end(s, p)
		case d == -1 && w.filled():
			pr.tail = pr.c
			m.checkFull(s)
			m.wait(s, p, notFull)
		default:
			m.fail("room: corrupt slot")
		}

	case pcFill:
		s.pay[pr.own][pr.i] = m.doing(s, p).msgs[pr.i]
		if pr.i++; pr.i == pr.n {
			pr.pc = pcMeta
		}

	case pcMeta:
		s.meta[pr.own] = pr.kind<<4 | pr.n
		m.startPublish(s, p, opPut, pr.kind, 0, pcPutDone)
		if m.room { // the swap is with the word that room saw, however long ago
			m.startAnnounce(s, p, pr.tail, pcPubCAS)
		}

	case pcClaimRead:
		c := (int(pr.own) + int(pr.i)) % m.chunks
		if s.chunk[c] == 0 {
			pr.pc = pcClaim
			return
		}
		m.nextChunk(s, p)

	case pcClaim:
		c := (int(pr.own) + int(pr.i)) % m.chunks
		if s.chunk[c] == 0 {
			m.checkOwn(s, p, pr.own, "given a chunk")
			s.chunk[c] = pr.own + 1
			s.pay[pr.own][pr.n] = uint8(c)
			s.chunkData[c] = m.doing(s, p).msgs[0]
			if pr.n++; int(pr.n) == m.need {
				pr.pc = pcMeta
				return
			}
		}
		m.nextChunk(s, p)

	case pcPubRead:
		w := s.slot[m.at(pr.c)]
		switch d := w.lap() - m.lap(pr.c); {
		case d == 0 && (w.kind() == kindEmpty || w.kind() == kindSealed && m.mayUnseal(pr.op)):
			pr.word = w
			m.startAnnounce(s, p, pr.c, pcPubCAS)
		case d == 0 && w.kind() == kindSealed:
			pr.tail = pr.c
			m.published(s, p, sealed)
		case d == 0 && w.filled():
			m.walk(s, p, pr.c+1, pcPubHurry)
		case d > 0:
			m.walk(s, p, m.catchUp(pr.c, d, w.filled()), pcPubHurry)
		case d == -1 && w.filled():
			pr.tail = pr.c
			m.checkFull(s)
			m.published(s, p, full)
		default:
			m.fail("publish: corrupt slot")
		}

	case pcPubHurry:
		pr.c, pr.pc = max(pr.c, s.hintTail), pcPubRead

	case pcPubCAS:
		if s.slot[m.at(pr.pos)] != pr.word {
			pr.pc = pcPubRead
			return
		}
		m.didPublish(s, p)
		s.slot[m.at(pr.pos)] = makeWord(m.lap(pr.pos), pr.kind, pr.own, pr.next)
		pr.pc = pcPubAcquired
		if m.mutant == mutPutKeepsBlock {
			pr.tail = pr.pos + 1
			pr.pc = pcPubHint
		}

	case pcPubAcquired:
		b := pr.word.block()
		m.setAcquired(s, p, b, pr.pos)
		pr.own, pr.tail, pr.pc = b, pr.pos+1, pcPubHint

	case pcPubHint:
		s.hintTail = pr.tail
		m.published(s, p, ok)

	case pcRest:
		op := uint8(opIdle)
		if pr.op == opRequeue && m.mutant != mutHoldIsIdle {
			op = opHold
		}
		m.setRecord(s, p, op, 0, 0)
		pr.pc = pcHigh

	case pcHigh:
		ln.high = m.hi(pr.pos)
		pr.high = ln.high
		pr.pc = pcRecord
		if m.mutant == mutHighAfterRecord {
			m.jump(s, p, pr.retAnn)
		}

	case pcRecord:
		m.setRecord(s, p, pr.op, pr.pos, pr.word.block())
		if m.mutant == mutHighAfterRecord && m.hi(pr.pos) != pr.high {
			pr.pc = pcHigh
			return
		}
		m.jump(s, p, pr.retAnn)

	case pcFree:
		c := s.pay[pr.own][pr.i]
		if int(c) < m.chunks && s.chunk[c] == pr.own+1 {
			m.freeChunk(s, p, int(c))
		}
		if pr.i++; pr.i == pr.n {
			m.jump(s, p, pr.retFree)
		}

	case pcPeek:
		w := s.slot[m.at(pr.c)]
		switch d := w.lap() - m.lap(pr.c); {
		case d == 0 && w.filled():
			pr.head, pr.word = pr.c, w
			if w.kind() == kindMany && pr.op == opTake {
				pr.pc = pcUnpackMeta
			} else {
				m.startTake(s, p)
			}
		case d == 0 && w.kind() == kindSealed:
			pr.head = pr.c
			m.startDrained(s, p)
		case d == 0 && w.kind() == kindEmpty:
			pr.head = pr.c
			m.checkEmpty(s)
			if m.closing {
				pr.pc = pcGetClosed
			} else {
				m.endEmpty(s, p)
			}
		case d > 0:
			m.walk(s, p, m.catchUp(pr.c, d, false), pcPeekHurry)
		default:
			m.fail("peek: corrupt slot")
		}

	case pcPeekHurry:
		pr.c, pr.pc = max(pr.c, s.hintHead), pcPeek

	case pcGetClosed:
		if !s.closed {
			m.endEmpty(s, p)
			return
		}
		pr.pc = pcSealRead

	case pcSealRead:
		w := s.slot[m.at(pr.head)]
		switch d := w.lap() - m.lap(pr.head); {
		case d == 0 && w.kind() == kindEmpty:
			pr.word, pr.pc = w, pcSealCAS
		default:
			m.peekAgain(s, p)
		}

	case pcSealCAS:
		if w := &s.slot[m.at(pr.head)]; *w == pr.word {
			*w = makeWord(pr.word.lap(), kindSealed, pr.word.block(), 0)
			m.wakeAll(s, p, pcPeek)
			return
		}
		m.peekAgain(s, p)

	case pcDrained:
		switch s.lane[pr.i].rec.op() {
		case opLease, opRequeue, opHold:
			m.endEmpty(s, p)
			return
		}
		if pr.i++; int(pr.i) < m.lanes {
			return
		}
		if m.mutant == mutDrainedOnce {
			m.sayEOF(s, p)
			return
		}
		pr.pc = pcDrainedAgain

	case pcDrainedAgain:
		w := s.slot[m.at(pr.head)]
		if w.lap() == m.lap(pr.head) && w.kind() == kindSealed {
			m.sayEOF(s, p)
			return
		}
		m.endEmpty(s, p)

	case pcTakeIdle:
		m.setRecord(s, p, opIdle, 0, 0)
		pr.pc = pcCursor

	case pcCursor:
		ln.cursor = pr.word.next()
		m.startAnnounce(s, p, pr.head, pcTakeCAS)

	case pcTakeCAS:
		w := &s.slot[m.at(pr.pos)]
		if *w != pr.word {
			pr.announced = pr.op == opLease && m.mutant != mutLeaseStays
			m.peekAgain(s, p)
			return
		}
		m.didTake(s, p)
		switch m.mutant {
		case mutTakeSameLap:
			*w = makeWord(pr.word.lap(), kindEmpty, pr.own, 0)
		case mutTakeKeepsBlock:
			*w = makeWord(pr.word.lap()+1, kindEmpty, pr.word.block(), 0)
		default:
			*w = makeWord(pr.word.lap()+1, kindEmpty, pr.own, 0)
		}
		pr.pc = pcTakeAcquired
		if m.mutant == mutAcquiredLate {
			pr.own, pr.head = pr.word.block(), pr.pos+1
			pr.pc = pcTakeHint
		}

	case pcTakeAcquired:
		b := pr.word.block()
		m.setAcquired(s, p, b, pr.pos)
		if m.mutant == mutAcquiredLate {
			m.end(s, p)
			return
		}
		pr.own, pr.head, pr.pc = b, pr.pos+1, pcTakeHint

	case pcTakeHint:
		s.hintHead = pr.head
		if pr.op == opLease {
			pr.leased, pr.lnext = true, pr.word.next()
			m.readLeased(s, p)
			m.notify(s, p, notFull)
			return
		}
		pr.pc = pcCopy
		if m.mutant == mutAckBeforeCopy {
			pr.pc = pcGetIdle
		}

	case pcLeaseLost:
		m.setRecord(s, p, opIdle, 0, 0)
		pr.announced = false
		if m.mutant == mutLostNotWoken {
			m.wait(s, p, notEmpty)
			return
		}
		m.leaseOver(s, p, pcWait)

	case pcCopy:
		m.copyOwned(s, p)
		pr.pc = pcGetIdle
		if m.mutant == mutAckBeforeCopy {
			m.got(s, p)
		}

	case pcGetIdle:
		m.setRecord(s, p, opIdle, 0, 0)
		if m.mutant == mutAckBeforeCopy {
			pr.pc = pcCopy
			return
		}
		m.got(s, p)

	case pcUnpackMeta:
		b := pr.word.block()
		left := int(s.meta[b]&0xf) - int(pr.word.next())
		if s.meta[b]>>4 != kindMany || left <= 0 {
			pr.pc = pcChanged
			return
		}
		want := 1
		if m.doing(s, p).op == GetMany {
			want = 2
		}
		if want >= left {
			m.startTake(s, p)
			return
		}
		pr.i, pr.n, pr.pc = 0, uint8(want), pcHand

	case pcHand:
		ln.inHand = pr.n
		pr.pc = pcUnpackCopy
		if m.mutant == mutAdvanceBeforeCopy {
			pr.pc = pcAdvance
		}

	case pcUnpackCopy:
		i := pr.word.next() + pr.i
		pr.got[i] = s.pay[pr.word.block()][i]
		if pr.i++; pr.i < pr.n {
			return
		}
		pr.pc = pcAdvance
		if m.mutant == mutAdvanceBeforeCopy {
			m.checkAdvanced(s, p)
			pr.pc = pcHandClear
		}

	case pcAdvance:
		w := &s.slot[m.at(pr.head)]
		if *w != pr.word {
			pr.pc = pcHandVoid
			return
		}
		m.didAdvance(s, p)
		*w = makeWord(pr.word.lap(), kindMany, pr.word.block(), pr.word.next()+pr.n)
		if m.mutant == mutAdvanceBeforeCopy {
			pr.pc = pcUnpackCopy
			return
		}
		m.checkAdvanced(s, p)
		if m.mutant == mutRestNotWoken {
			pr.pc = pcHandClear
			return
		}
		m.notifyThen(s, p, notEmpty, pcHandClear) // messages remain

	case pcHandClear:
		ln.inHand = 0
		m.deliverHand(s, p)
		m.end(s, p)

	case pcHandVoid:
		ln.inHand = 0
		pr.got = [maxPack]uint8{}
		m.peekAgain(s, p)

	case pcChanged:
		if s.slot[m.at(pr.head)] == pr.word {
			m.fail("a packed entry in the ring makes no sense")
			return
		}
		m.peekAgain(s, p)

	case pcAckCursor:
		ln.cursor = pr.lnext + 1
		m.acknowledge(s, p, pr.lnext)
		pr.lnext++
		m.end(s, p)

	case pcAckIdle:
		m.setRecord(s, p, opIdle, 0, 0)
		m.acknowledge(s, p, pr.lnext)
		pr.leased, pr.lnext = false, 0
		if s.meta[pr.own]>>4 == kindLarge && m.mutant != mutAckFreesFirst {
			m.startFree(s, p, pcLeaseOver)
			return
		}
		m.leaseOver(s, p, pcEnd)

	case pcGiveIdle:
		m.setRecord(s, p, opIdle, 0, 0)
		m.jump(s, p, pr.retGive)

	case pcClose:
		s.closed = true
		m.wakeAll(s, p, pcEnd)

	default:
		m.fail("no such access")
	}
}

// got ends a Get that owns what it copied: the message is delivered.
func (m *machine) got(s *state, p int) {
	pr := &s.proc[p]
	m.deliver(s, p)
	switch {
	case m.mutant == mutAcquiredLate:
		pr.pc = pcTakeAcquired
	case pr.word.kind() == kindLarge:
		m.startFree(s, p, pcEnd)
	default:
		m.notify(s, p, notFull)
	}
}

// endEmpty ends a Get or Lease that found nothing.
func (m *machine) endEmpty(s *state, p int) {
	if s.proc[p].announced {
		s.proc[p].pc = pcLeaseLost
		return
	}
	m.wait(s, p, notEmpty)
}

// mayUnseal reports whether op publishes into a sealed slot.
func (m *machine) mayUnseal(op uint8) bool {
	switch m.mutant {
	case mutSealIgnored:
		return true
	case mutSealStopsRequeue:
		return false
	}
	return op == opRequeue
}

// nextChunk goes on to the next chunk of fillLarge's walk, or gives up.
func (m *machine) nextChunk(s *state, p int) {
	pr := &s.proc[p]
	pr.pc = pcClaimRead
	if pr.i++; int(pr.i) == m.chunks {
		s.meta[pr.own] = kindLarge<<4 | pr.n // how many freeList has to free
		m.startFree(s, p, pcEnd)
	}
}

func (m *machine) startDrained(s *state, p int) {
	s.proc[p].i, s.proc[p].pc = 0, pcDrained
}

// accessReap makes the access if it belongs to reap or join: process p then
// acts as the lane pr.lane, whose lock it holds.
func (m *machine) accessReap(s *state, p int, pr *proc, ln *lane) bool {
	switch pr.pc {
	case pcLock:
		k := m.freeLane(s, m.doing(s, p).op)
		s.lane[k].lock = uint8(p + 1)
		pr.lane = uint8(k)
		pr.pc = pcSettle

	case pcSettle:
		pr.rec, pr.high = ln.rec, ln.high
		pr.pos = pr.high<<m.posBits | pr.rec.low()
		pr.limit = pr.pos
		switch pr.rec.op() {
		case opIdle, opHold:
			m.verdict(s, p, pr.rec.own(), pr.rec.op() == opHold, false)
			return true
		case opTake, opLease:
			if m.mutant != mutLimitTake {
				pr.limit += uint8(m.cap)
			}
		case opPut, opRequeue:
			if m.mutant == mutLimitPut {
				pr.limit += uint8(m.cap)
			}
		default:
			m.fail("settle: corrupt record")
		}
		pr.pc = pcHappenedSlot

	case pcHappenedSlot:
		if s.slot[m.at(pr.pos)].block() == pr.rec.own() {
			m.happened(s, p)
			return true
		}
		pr.pc = pcHappenedAcquired

	case pcHappenedAcquired:
		if s.acquired[pr.rec.own()] >= pr.limit {
			m.happened(s, p)
			return true
		}
		pr.i, pr.n = 0, 0
		m.nextNames(s, p)
		if m.mutant == mutNoNames {
			pr.pc = pcHappenedAgain
		}

	case pcNamesRecord:
		pr.rec2 = s.lane[pr.i].rec
		if !m.namesLow(pr) {
			pr.i++
			m.nextNames(s, p)
			return true
		}
		pr.pc = pcNamesHigh
		if m.mutant == mutNamesNoHigh {
			m.happened(s, p)
		}

	case pcNamesHigh:
		pr.flag = s.lane[pr.i].high == m.hi(pr.limit)
		pr.pc = pcNamesAgain
		if m.mutant == mutNamesReadOnce {
			m.named(s, p)
		}

	case pcNamesAgain:
		if s.lane[pr.i].rec != pr.rec2 {
			pr.flag = false
			if pr.n++; pr.n == 3 {
				pr.i++
				m.nextNames(s, p)
			} else {
				pr.rec2, pr.pc = 0, pcNamesRecord
			}
			return true
		}
		m.named(s, p)

	case pcHappenedAgain:
		if s.acquired[pr.rec.own()] >= pr.limit {
			m.happened(s, p)
			return true
		}
		m.didNotHappen(s, p)

	case pcSettleAcquired:
		m.setAcquired(s, p, pr.rec.other(), pr.pos)
		m.completed(s, p)

	case pcNewTail:
		pr.tail = s.hintTail
		pr.pc = pcNewHead
		if m.doing(s, p).op != Join {
			m.afterNew(s, p)
		}

	case pcNewHead:
		pr.head = s.hintHead
		m.afterNew(s, p)

	case pcLost:
		ln.lost += m.lostInHand(s, pr)
		ln.lostPos = pr.pos + 1
		m.startCountMany(s, p)

	case pcLostMany:
		if m.mutant == mutHandZeroFirst {
			ln.lostMany += pr.n
			m.startFreeAll(s, p)
			return true
		}
		ln.lostMany += ln.inHand
		pr.pc = pcHandZero

	case pcHandZero:
		pr.n = ln.inHand
		ln.inHand = 0
		m.dieHand(s, pr.lane)
		if m.mutant == mutHandZeroFirst {
			pr.pc = pcLostMany
			return true
		}
		m.startFreeAll(s, p)

	case pcFreeAll:
		m.freeChunk(s, p, int(pr.i))
		m.startFreeAll(s, p)

	case pcReapIdle:
		m.setRecord(s, p, opIdle, 0, 0)
		m.die(s, p)
		pr.pc = pcHolder

	case pcHolder:
		if m.doing(s, p).op == Join {
			ln.holder = 1
			pr.has = true
			m.end(s, p)
			return true
		}
		ln.holder = 0
		pr.pc = pcUnlock

	case pcLeaveHolder:
		ln.holder = 0
		pr.pc = pcLeave

	case pcUnlock, pcLeave:
		ln.lock = 0
		*pr = proc{sc: pr.sc}
		m.end(s, p)

	default:
		return false
	}
	return true
}

// namesLow is what names reads off a record alone.
func (m *machine) namesLow(pr *proc) bool {
	op := pr.rec2.op()
	taking := pr.rec.op() == opPut || pr.rec.op() == opRequeue
	if m.mutant == mutNamesWrongClass {
		taking = !taking
	}
	if m.mutant == mutNamesNoClass {
		taking = op == opTake || op == opLease
	}
	return pr.rec2.other() == pr.rec.own() && pr.rec2.low() == m.low(pr.limit) &&
		op != opIdle && op != opHold && taking == (op == opTake || op == opLease)
}

// named ends names for one lane.
func (m *machine) named(s *state, p int) {
	pr := &s.proc[p]
	if pr.flag {
		m.happened(s, p)
		return
	}
	pr.i++
	m.nextNames(s, p)
}

// nextNames goes on to the next lane's record. The lane's own record names
// another block and is known.
func (m *machine) nextNames(s *state, p int) {
	pr := &s.proc[p]
	if pr.i == pr.lane {
		pr.i++
	}
	pr.n, pr.rec2, pr.flag, pr.pc = 0, 0, false, pcNamesRecord
	if int(pr.i) < m.lanes {
		return
	}
	pr.pc = pcHappenedAgain
	if m.mutant == mutNoSecondLook {
		m.didNotHappen(s, p)
	}
}

func (m *machine) didNotHappen(s *state, p int) {
	pr := &s.proc[p]
	back := pr.rec.op() == opRequeue && m.mutant != mutRequeueDropped
	m.verdict(s, p, pr.rec.own(), back, false)
}

// happened goes on with settle: the block received is marked if it was not.
func (m *machine) happened(s *state, p int) {
	pr := &s.proc[p]
	pr.flag, pr.rec2 = false, 0
	if s.acquired[pr.rec.other()] < pr.pos && m.mutant != mutSettleNoAcquired {
		pr.pc = pcSettleAcquired
		return
	}
	m.completed(s, p)
}

func (m *machine) completed(s *state, p int) {
	pr := &s.proc[p]
	op := pr.rec.op()
	m.verdict(s, p, pr.rec.other(), op == opLease && m.mutant != mutLeaseIsTake, op == opTake)
}

// verdict ends settle.
func (m *machine) verdict(s *state, p int, own uint8, back, lost bool) {
	pr := &s.proc[p]
	m.checkOwn(s, p, own, "found by the reaper")
	pr.own, pr.lease, pr.flag = own, back, lost
	if back || m.doing(s, p).op == Join {
		pr.pc = pcNewTail
		return
	}
	m.afterNew(s, p)
}

// afterNew goes on with reap once it has a worker.
func (m *machine) afterNew(s *state, p int) {
	pr := &s.proc[p]
	if pr.lease {
		pr.retGive = pcReapGiven
		m.startGiveBack(s, p)
		return
	}
	counted := s.lane[pr.lane].lostPos == pr.pos+1
	if pr.flag && (!counted || m.mutant == mutLostTwice) {
		pr.pc = pcLost
		return
	}
	m.startCountMany(s, p)
}

func (m *machine) startCountMany(s *state, p int) {
	pr := &s.proc[p]
	switch {
	case s.lane[pr.lane].inHand == 0:
		m.startFreeAll(s, p)
	case m.mutant == mutHandZeroFirst:
		pr.pc = pcHandZero
	default:
		pr.pc = pcLostMany
	}
}

// lostInHand is how many messages the dead owner of pr's lane had taken.
func (m *machine) lostInHand(s *state, pr *proc) uint8 {
	if meta := s.meta[pr.own]; meta>>4 == kindMany {
		return meta&0xf - s.lane[pr.lane].cursor
	}
	return 1
}

// startFreeAll goes on to the next chunk that the lane's block owns. Only the
// block's owner can change such a word, so looking for one needs no steps.
func (m *machine) startFreeAll(s *state, p int) {
	pr := &s.proc[p]
	b := pr.own
	if m.mutant == mutFreesGivenAway {
		b = pr.rec.own()
	}
	for c := range m.chunks {
		if s.chunk[c] == b+1 && m.mutant != mutReaperKeepsChunks {
			pr.i, pr.pc = uint8(c), pcFreeAll
			return
		}
	}
	pr.pc = pcReapIdle
}
