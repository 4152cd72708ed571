package queue

// The swap ring. This file has the whole algorithm on the slots, without any
// operating system: it runs over any []byte, which is how the race detector
// and the 386 tests see it.
//
// Who owns what: a block belongs to the slot that names it, or to the lane
// that holds it, never to both. Publishing and taking swap the lane's block
// with the slot's in one compare-and-swap, so there is no moment at which a
// block belongs to nobody, and a process that dies at any instruction leaves
// exactly its lane's block to be picked up (reap.go).

import (
	"sync/atomic"
)

// step names a place right before a shared-memory access, where the tests
// kill or stop a process.
type step uint8

// The steps, in the order in which an operation passes them.
const (
	stepHigh     step = iota // before the record's high bits change
	stepRecord               // before the record that announces the swap
	stepSwap                 // before the compare-and-swap: the linearization point
	stepAcquired             // before the received block is marked as acquired
	stepHint                 // before a hint is stored
	stepDone                 // before the record returns to idle
	stepCursor               // before the cursor of a packed entry moves
	stepInHand               // before messages copied out of a packed entry are announced
	stepChunk                // before a chunk is claimed or freed
	stepWake                 // before sleepers are woken
	stepReap                 // before a reaper changes a dead lane
	stepJoin                 // before a lane is joined or left
	stepCount
)

// ring is the shared memory with its private, checked geometry.
type ring struct {
	geometry
	mem  []byte
	hook func(step) // tests only
}

func (r *ring) at(s step) {
	if r.hook != nil {
		r.hook(s)
	}
}

// cursor is a position in the ring: pos = lap*capacity + index.
type cursor struct {
	lap   uint64
	index uint32
}

func (r *ring) cursorAt(pos uint64) cursor {
	return cursor{pos / uint64(r.capacity), uint32(pos % uint64(r.capacity))}
}

func (r *ring) pos(c cursor) uint64 { return c.lap*uint64(r.capacity) + uint64(c.index) }

func (r *ring) after(c cursor) cursor {
	if c.index++; c.index == r.capacity {
		return cursor{c.lap + 1, 0}
	}
	return c
}

// worker is the private half of a lane: what its owner knows without reading
// shared memory. One goroutine at a time uses it.
type worker struct {
	id   uint32
	own  uint32 // the block it holds
	high uint64 // what laneHigh holds
	tail cursor // where it looks first for a free slot
	head cursor // where it looks first for a message
}

// tries bounds every walk of the ring: a lap and what others may add to it
// meanwhile. Past it the caller looks at its context and comes again.
func (r *ring) tries() int { return 2*int(r.capacity) + 256 }

// maxRetries bounds how often an operation comes again after it was overtaken
// for a whole walk, or lost its swap. Cooperating peers never make it that
// unlucky; a hostile one could keep it busy past its context.
const maxRetries = 1 << 12

// hurry is after how many steps a walk looks at the hint: a worker that was
// idle for long need not walk through all that happened.
const hurry = 2 * hintInterval

// hinted returns the position that the hint at off gives if c is behind it.
func (r *ring) hinted(c cursor, off int) cursor {
	if h := r.word(off).Load(); h > r.pos(c) {
		return r.cursorAt(h)
	}
	return c
}

// catchUp moves c, which is behind by d > 0 laps, to the first position that
// w, the word of its slot, does not prove to be over.
func (r *ring) catchUp(c cursor, d int64, putDone bool) cursor {
	c.lap += uint64(d)
	if !putDone {
		c.lap--
	}
	return r.after(c)
}

// announce stores the lane's record. The position's high bits are stored in
// a word of their own and change only while the record names no swap, so that
// nobody can pair them with the wrong low ones.
func (r *ring) announce(w *worker, op uint32, pos uint64, other uint32) {
	if h := pos >> posBits; h != w.high {
		r.at(stepHigh)
		rest := uint32(opIdle)
		if op == opRequeue {
			rest = opHold // own is a message that must not be forgotten
		}
		storeRelease(r.laneWord(w.id, laneRecord), uint64(makeRecord(rest, 0, w.own, 0)))
		storeRelease(r.laneWord(w.id, laneHigh), h)
		w.high = h
	}
	r.at(stepRecord)
	storeRelease(r.laneWord(w.id, laneRecord), uint64(makeRecord(op, pos, w.own, other)))
}

// publish swaps the worker's block, ready with a message, for the empty block
// of the slot at the tail. The compare-and-swap is the linearization point of
// Put. It returns ErrFull, errSealed, ErrCorrupt, or errRetry if it was
// overtaken too often; the worker then still holds the message.
func (r *ring) publish(w *worker, op, kind, next uint32) error {
	c := w.tail
	for n := range r.tries() {
		if n == hurry {
			c = r.hinted(c, offTail)
		}
		slot := r.slot(c.index)
		word := slotWord(slot.Load()) // SYNC(space): takeAt -> publish
		switch d := word.ahead(c.lap); {
		case d == 0 && (word.kind() == kindEmpty || word.kind() == kindSealed && op == opRequeue):
			b := word.block()
			if b >= r.blocks {
				return ErrCorrupt
			}
			pos := r.pos(c)
			r.announce(w, op, pos, b)
			r.at(stepSwap)
			if !slot.CompareAndSwap(uint64(word), uint64(makeSlot(c.lap, kind, w.own, next))) { // SYNC(message): publish -> peek
				continue
			}
			r.at(stepAcquired)
			storeRelease(r.blockWord(b, blockAcquired), pos)
			w.own = b
			w.tail = r.after(c)
			if pos%hintInterval == hintInterval-1 || r.capacity < hintInterval {
				r.at(stepHint)
				storeRelease(r.word(offTail), pos+1)
			}
			return nil
		case d == 0 && word.kind() == kindSealed:
			w.tail = c
			return errSealed
		case d == 0 && word.filled():
			c = r.after(c)
		case d > 0 && (word.filled() || word.free()):
			c = r.catchUp(c, d, word.filled())
		case d == -1 && word.filled():
			w.tail = c
			return ErrFull
		default:
			return ErrCorrupt
		}
	}
	w.tail = c
	return errRetry
}

// room walks on to the tail and reports whether a message could be put there
// now: nil, ErrFull, errSealed, ErrCorrupt or errRetry. A message is copied into
// its block only after this, so that waiting for space costs no copying.
func (r *ring) room(w *worker) error {
	c := w.tail
	for n := range r.tries() {
		if n == hurry {
			c = r.hinted(c, offTail)
		}
		word := slotWord(r.slot(c.index).Load())
		d := word.ahead(c.lap)
		switch {
		case d == 0 && word.filled():
			c = r.after(c)
			continue
		case d > 0 && (word.filled() || word.free()):
			c = r.catchUp(c, d, word.filled())
			continue
		}
		w.tail = c
		switch {
		case d == 0 && word.kind() == kindEmpty:
			return nil
		case d == 0 && word.kind() == kindSealed:
			return errSealed
		case d == -1 && word.filled():
			return ErrFull
		}
		return ErrCorrupt
	}
	w.tail = c
	return errRetry
}

// takeAt swaps the worker's block, empty, for the message that word showed at
// the worker's head: the linearization point of Get and Lease. False means
// that another consumer was faster. The caller ends it with idle, or keeps the
// message leased.
func (r *ring) takeAt(w *worker, word slotWord, op uint32) bool {
	c := w.head
	pos := r.pos(c)
	if word.kind() == kindMany {
		// The cursor belongs to the record: no other operation's record may
		// be current while it changes.
		r.idle(w)
		r.at(stepCursor)
		storeRelease(r.laneWord(w.id, laneCursor), uint64(word.next()))
	}
	r.announce(w, op, pos, word.block())
	r.at(stepSwap)
	if !r.slot(c.index).CompareAndSwap(uint64(word), uint64(makeSlot(c.lap+1, kindEmpty, w.own, 0))) { // SYNC(space): takeAt -> publish
		return false
	}
	r.at(stepAcquired)
	storeRelease(r.blockWord(word.block(), blockAcquired), pos)
	w.own = word.block()
	w.head = r.after(c)
	if pos%hintInterval == hintInterval-1 || r.capacity < hintInterval {
		r.at(stepHint)
		storeRelease(r.word(offHead), pos+1)
	}
	return true
}

// idle ends an operation: the worker's block is its spare. It is the
// acknowledgement of what was taken.
func (r *ring) idle(w *worker) {
	r.at(stepDone)
	storeRelease(r.laneWord(w.id, laneRecord), uint64(makeRecord(opIdle, 0, w.own, 0)))
}

// seal marks the tail of a queue that is closed for writing and drained: no
// producer that has not yet seen the closed flag can publish any more.
// It returns false if a message came first.
func (r *ring) seal(w *worker) bool {
	slot := r.slot(w.head.index)
	word := slotWord(slot.Load())
	if word.ahead(w.head.lap) != 0 || word.kind() != kindEmpty {
		return word.ahead(w.head.lap) == 0 && word.kind() == kindSealed
	}
	r.at(stepSwap)
	return slot.CompareAndSwap(uint64(word), uint64(makeSlot(w.head.lap, kindSealed, word.block(), 0)))
}

// peek finds the message at the head, walking on from the worker's cursor, and
// takes nothing. It returns ErrEmpty, errSealed, ErrCorrupt or errRetry.
func (r *ring) peek(w *worker) (slotWord, error) {
	c := w.head
	for n := range r.tries() {
		if n == hurry {
			c = r.hinted(c, offHead)
		}
		word := slotWord(r.slot(c.index).Load()) // SYNC(message): publish -> peek
		switch d := word.ahead(c.lap); {
		case d == 0 && word.filled():
			w.head = c
			if word.block() >= r.blocks {
				return 0, ErrCorrupt
			}
			return word, nil
		case d == 0 && word.kind() == kindSealed:
			w.head = c
			return 0, errSealed
		case d == 0 && word.kind() == kindEmpty:
			w.head = c
			return 0, ErrEmpty
		case d > 0 && (word.filled() || word.free()):
			c = r.catchUp(c, d, false)
		default:
			return 0, ErrCorrupt
		}
	}
	w.head = c
	return 0, errRetry
}

// advance takes k messages of the packed entry that word showed at the head,
// without taking its block: for entries of which messages remain. False means
// that another consumer was faster and what was copied is void.
func (r *ring) advance(w *worker, word slotWord, k uint32) bool {
	r.at(stepSwap)
	return r.slot(w.head.index).CompareAndSwap(uint64(word), uint64(makeSlot(word.lap(), kindMany, word.block(), word.next()+k)))
}

// notify wakes one sleeper if any is armed. Called after every publish with
// offNotEmpty and after every take with offNotFull.
//
// The sleeper arms with a value derived from the seq it saw, then looks at
// the ring again, then sleeps on that seq. Disarming compares that value, so
// a sleeper that armed later stays armed.
func (r *ring) notify(line int, wake func(*atomic.Uint32, int) int) {
	armed := r.word32(line + waitArmed)
	a := armed.Load()
	if a == 0 {
		return
	}
	r.at(stepWake)
	seq := r.word32(line + waitSeq)
	seq.Add(2)
	if wake(seq, 1) == 0 {
		armed.CompareAndSwap(a, 0)
	}
}

// arm announces a sleeper; it must look at the ring again before it sleeps on
// seq at the value returned.
func (r *ring) arm(line int) (seq *atomic.Uint32, old uint32) {
	seq = r.word32(line + waitSeq)
	old = seq.Load()
	r.word32(line + waitArmed).Store(old | 1)
	return seq, old
}
