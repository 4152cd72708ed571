package queue

// The reaper: what happens to the lane of an owner that died. Preconditions of
// every function here: the caller holds the kernel's lock of lane k, so its
// owner is gone (or is the caller itself) and nobody else reaps it; the caller
// acts as lane k. A reaper that dies in turn leaves a state from which the
// next one does the same.

// happened reports whether the swap at pos that the dead lane announced took
// place, where x is the block that the swap would have published.
//
// If it did not, x never left the lane, so no slot and no other lane names it
// and its acquired word is older than limit. If it did, x is in the slot; or
// it left it through some lane q, which named x in its record before its own
// swap and writes x's acquired word before it changes that record. Looking at
// the slot, the word, all records, and the word again leaves no gap: if x left
// the slot before the first look, then q's record names it until the word
// says so.
//
// limit is the position at which x would next be acquired: pos for a message,
// pos + capacity for the spare left behind by a take.
func (r *ring) happened(x uint32, rec record, pos, limit uint64) bool {
	if slotWord(r.slot(uint32(pos%uint64(r.capacity))).Load()).block() == x {
		return true
	}
	acquired := r.blockWord(x, blockAcquired)
	if r.reached(acquired.Load(), limit) {
		return true
	}
	taking := rec.op() == opPut || rec.op() == opRequeue // x was a message: somebody takes it
	for q := range r.lanes {
		if r.names(q, x, limit, taking) {
			return true
		}
	}
	return r.reached(acquired.Load(), limit)
}

// reached compares positions of 64 bits that may have wrapped.
func (r *ring) reached(acquired, limit uint64) bool { return int64(acquired-limit) >= 0 }

// names reports whether lane q's record says that it swaps x out of the slot
// at pos. The position's two halves are two words; the record is read again
// after the high half, which changes only while the record is idle.
func (r *ring) names(q, x uint32, pos uint64, taking bool) bool {
	for range 3 {
		rec := record(r.laneWord(q, laneRecord).Load())
		op := rec.op()
		if rec.other() != x || rec.low() != pos&posMask || op == opIdle || op == opHold || taking != (op == opTake || op == opLease) {
			return false
		}
		high := r.laneWord(q, laneHigh).Load()
		if record(r.laneWord(q, laneRecord).Load()) == rec {
			return high == pos>>posBits
		}
	}
	return false // it changed, so the acquired word has been written if it swapped
}

// verdict is what a reaper found in a lane.
type verdict struct {
	own     uint32 // the block that the lane owns
	leased  bool   // own holds a message that must come back
	lost    bool   // own holds a message that died with its taker
	lostPos uint64
}

// settle completes or undoes what lane k announced, as far as the ring is
// concerned, and says what the lane owns. It changes nothing but the acquired
// word of the block that a completed swap received, which is idempotent.
func (r *ring) settle(k uint32) (verdict, error) {
	rec := record(r.laneWord(k, laneRecord).Load())
	own, other := rec.own(), rec.other()
	if own >= r.blocks || other >= r.blocks {
		return verdict{}, ErrCorrupt
	}
	pos := r.laneWord(k, laneHigh).Load()<<posBits | rec.low()
	limit := pos
	switch rec.op() {
	case opIdle, opHold:
		return verdict{own: own, leased: rec.op() == opHold}, nil
	case opTake, opLease:
		limit += uint64(r.capacity)
	case opPut, opRequeue:
	default:
		return verdict{}, ErrCorrupt
	}
	if !r.happened(own, rec, pos, limit) {
		return verdict{own: own, leased: rec.op() == opRequeue}, nil
	}
	// Own was given away, other received. The word may have been written
	// already; it never goes back, because nobody else owns the block.
	if acquired := r.blockWord(other, blockAcquired); !r.reached(acquired.Load(), pos) {
		r.at(stepReap)
		acquired.Store(pos)
	}
	return verdict{
		own:    other,
		leased: rec.op() == opLease,
		lost:   rec.op() == opTake, lostPos: pos,
	}, nil
}

// countLost adds what the dead owner of lane k had in hand: exactly for single
// messages, as an upper bound for packed ones. Each count carries what it was
// made for, so that a second reaper does not count it again.
func (r *ring) countLost(k uint32, v verdict) {
	if v.lost {
		n := uint64(1)
		if m := r.meta(v.own); m.kind() == kindMany {
			n = uint64(max(0, m.count()-int(r.laneWord(k, laneCursor).Load()&0xff)))
		}
		const posPart = 1<<40 - 1
		w := r.laneWord(k, laneLost)
		if old := w.Load(); old&posPart != (v.lostPos+1)&posPart {
			r.at(stepReap)
			w.Store((old>>40+n)<<40 | (v.lostPos+1)&posPart)
		}
	}
	if h := r.laneWord32(k, laneInHand); h.Load() != 0 {
		// Counted twice, if this reaper dies in between; never too few.
		r.at(stepReap)
		r.laneWord(k, laneLostMany).Add(uint64(min(h.Load(), maxBlocks)))
		h.Store(0)
	}
}

// bury is offered a message of a packed or single entry that was delivered too
// often. It returns false if it can't have it now; the message then goes back
// to the queue.
type bury func(b, next uint32) bool

// reap puts lane k in order: its owner's last operation is completed or
// undone, its message goes back to the queue or to the dead, its chunks are
// free, its record is idle. It returns a worker ready for use, or ErrFull if a
// leased message has to go back and there is no room now; the lane then stays
// as it is for a later reap.
func (r *ring) reap(k uint32, dead bury) (*worker, error) {
	v, err := r.settle(k)
	if err != nil {
		return nil, err
	}
	w := r.newWorker(k, v.own)
	if v.leased {
		return w, r.giveBack(w, dead)
	}
	r.countLost(k, v)
	r.freeAll(w.own)
	r.at(stepReap)
	r.idle(w)
	return w, nil
}

// newWorker returns the private half of lane k, whose block is own.
func (r *ring) newWorker(k, own uint32) *worker {
	return &worker{
		id: k, own: own, mine: r.blockHead(own),
		rec:  r.laneWord(k, laneRecord),
		from: r.laneWord(k, laneSince),
		high: r.laneWord(k, laneHigh).Load(),
		tail: r.cursorAt(r.word(offTail).Load()),
		head: r.cursorAt(r.word(offHead).Load()),
	}
}

// giveBack publishes the leased message in w's block again, for a dead
// consumer or a Nack. Messages that were delivered MaxAttempts times go to
// the dead instead. On ErrFull the lane still holds the message.
func (r *ring) giveBack(w *worker, dead bury) error {
	m := r.meta(w.own)
	switch m.kind() {
	case kindOne, kindLarge, kindMany:
	default:
		return ErrCorrupt
	}
	next := r.leasedNext(w)
	word := r.blockWord(w.own, blockTries)
	if r.maxAttempts > 0 && attempts(word.Load()).of(next) >= uint64(r.maxAttempts) && dead != nil && dead(w.own, next) {
		r.laneWord(w.id, laneDead).Add(1)
		if !r.nextLeased(w, next) {
			r.idle(w)
			r.freeAll(w.own)
			return nil
		}
		next++
	}
	word.Or(movedBit)
	err := r.republish(w, m.kind(), next)
	switch err {
	case nil:
		r.laneWord(w.id, laneRequeued).Add(1)
		r.idle(w)
	case errRetry:
		err = ErrFull // as good as: somebody comes again
	}
	return err
}

// republish puts the leased message in w's block at the tail, also behind the
// seal of a queue that is closed for writing.
func (r *ring) republish(w *worker, kind, next uint32) error {
	for range maxRetries {
		word, err := r.room(w)
		if err != nil && err != errSealed {
			return err
		}
		if r.putAt(w, word, opRequeue, kind, next) {
			return nil
		}
	}
	return errRetry
}

// leasedNext returns which message of the leased block in w is not done yet: the
// cursor's of a packed entry, else the only one.
func (r *ring) leasedNext(w *worker) uint32 {
	if r.meta(w.own).kind() != kindMany {
		return 0
	}
	return uint32(r.laneWord(w.id, laneCursor).Load()) & 0xff
}

// nextLeased moves the lease on a packed entry past message next and reports
// whether one remains.
func (r *ring) nextLeased(w *worker, next uint32) bool {
	m := r.meta(w.own)
	if m.kind() != kindMany || int(next)+1 >= min(m.count(), maxPacked) {
		return false
	}
	r.at(stepCursor)
	r.laneWord(w.id, laneCursor).Store(uint64(next) + 1)
	return true
}
