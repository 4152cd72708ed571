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
	stepLinger               // before a wait for others to get ahead
	stepCount
)

// ring is the shared memory with its private, checked geometry.
//
// What every operation touches has a typed pointer, derived once from mem.
type ring struct {
	geometry
	mem               []byte
	slots             []slotLine
	tail, head        *atomic.Uint64 // hints
	notEmpty, notFull *atomic.Uint32 // armed
	state             *atomic.Uint32 // flags
	small             int            // bytes of the longest message that one block holds
	prefetch          bool           // blocks are short enough to have lines of them fetched ahead
	first             *blockHead
	stride            uintptr    // bytes from one block to the next
	hintMask          uint64     // the hints are stored at positions that have all its bits
	hook              func(step) // tests only
}

func (r *ring) at(s step) {
	if r.hook != nil {
		r.hook(s)
	}
}

// cursor is a position in the ring: pos = lap*capacity + index.
type cursor struct {
	pos   uint64
	lap   uint64
	index uint32
}

func (r *ring) cursorAt(pos uint64) cursor {
	return cursor{pos, pos / uint64(r.capacity), uint32(pos % uint64(r.capacity))}
}

// next moves c on by one position.
func (r *ring) next(c *cursor) {
	c.pos++
	if c.index++; c.index == r.capacity {
		c.index = 0
		c.lap++
	}
}

// worker is the private half of a lane: what its owner knows without reading
// shared memory. One goroutine at a time uses it.
type worker struct {
	id   uint32
	own  uint32         // the block it holds
	mine *blockHead     // that block
	rec  *atomic.Uint64 // laneRecord
	from *atomic.Uint64 // laneSince
	high uint64         // what laneHigh holds
	tail cursor         // where it looks first for a free slot
	head cursor         // where it looks first for a message

	patient bool   // the operation under way may wait a little
	misses  uint16 // times in a row that gather waited in vain
	skips   uint16 // waits after which it need not try
}

// raised reports whether a record can name the position at c: see raise.
func (w *worker) raised(c *cursor) bool { return c.pos>>posBits == w.high }

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

// hinted moves c to the position that the hint gives if it is behind it.
func (r *ring) hinted(c *cursor, hint *atomic.Uint64) {
	if h := hint.Load(); h > c.pos {
		*c = r.cursorAt(h)
	}
}

// catchUp moves c, whose slot is ahead of it by d > 0 laps, to the first position
// that this does not prove to be over. If putDone, the slot's own lap is over, too.
func (r *ring) catchUp(c *cursor, d int64, putDone bool) {
	if !putDone {
		d--
	}
	c.lap += uint64(d)
	c.pos += uint64(d) * uint64(r.capacity)
	r.next(c)
}

// swap exchanges the worker's block for the one that the slot at c names, if the
// slot's word is still old: the linearization point of Put, Get and Lease. The
// record is stored first: it tells whoever inherits the lane what was swapped
// with what. c moves on if the swap took place.
func (r *ring) swap(w *worker, c *cursor, op uint32, old, new slotWord) bool {
	b := old.block()
	if !w.raised(c) {
		r.raise(w, op, c.pos>>posBits)
	}
	r.at(stepRecord)
	storeRelease(w.rec, uint64(makeRecord(op, c.pos, w.own, b)))
	r.at(stepSwap)
	if !r.slots[c.index].word.CompareAndSwap(uint64(old), uint64(new)) { // SYNC(message): swap -> peek, SYNC(space): swap -> room
		switch op {
		case opPut:
			r.linger(w, c, slotWord.free)
		case opTake, opLease:
			r.linger(w, c, slotWord.filled)
		}
		return false
	}
	r.at(stepAcquired)
	pos := r.received(w, c, b)
	if pos&r.hintMask == r.hintMask {
		r.storeHint(op, pos+1)
	}
	return true
}

// received makes b, for which w has swapped its block at c, w's own, and moves c on. It
// returns the position. b has been checked.
func (r *ring) received(w *worker, c *cursor, b uint32) uint64 {
	pos, h := c.pos, r.checked(b)
	w.own, w.mine = b, h
	storeRelease(&h.acquired, pos)
	r.next(c)
	return pos
}

func (r *ring) storeHint(op uint32, pos uint64) {
	r.at(stepHint)
	if op == opPut || op == opRequeue {
		storeRelease(r.tail, pos)
	} else {
		storeRelease(r.head, pos)
	}
}

// raise stores the high bits of the positions that the lane's records name from
// now on. They are in a word of their own and change only while the record names
// no swap, so that nobody can pair them with the wrong low ones.
func (r *ring) raise(w *worker, op uint32, high uint64) {
	r.at(stepHigh)
	rest := uint32(opIdle)
	if op == opRequeue {
		rest = opHold // own is a message that must not be forgotten
	}
	storeRelease(w.rec, uint64(makeRecord(rest, 0, w.own, 0)))
	storeRelease(r.laneWord(w.id, laneHigh), high)
	w.high = high
}

// roomHere returns the word of the slot at the worker's tail if it is ready for a
// message: what room finds nearly always.
func (r *ring) roomHere(w *worker) (slotWord, bool) {
	word := slotWord(r.slots[w.tail.index].word.Load()) // SYNC(space): swap -> room
	return word, word.blockIf(w.tail.lap, kindEmpty) < uint64(r.blocks)
}

// peekHere is the same for a message that has a block to itself.
func (r *ring) peekHere(w *worker) (slotWord, bool) {
	word := slotWord(r.slots[w.head.index].word.Load()) // SYNC(message): swap -> peek
	return word, word.blockIf(w.head.lap, kindOne) < uint64(r.blocks)
}

// room finds the empty slot at the tail, walking on from the worker's cursor,
// and puts nothing. It returns ErrFull, errSealed, ErrCorrupt, or errRetry if it
// was overtaken too often. With errSealed, the word is good for opRequeue.
func (r *ring) room(w *worker) (slotWord, error) {
	c := &w.tail
	for n := range r.tries() {
		if n == hurry {
			r.hinted(c, r.tail)
		}
		word := slotWord(r.slots[c.index].word.Load()) // SYNC(space): swap -> room
		switch d := word.ahead(c.lap); {
		case d == 0 && word.free():
			if word.block() >= r.blocks {
				return 0, ErrCorrupt
			}
			if word.kind() == kindSealed {
				return word, errSealed
			}
			return word, nil
		case d == 0 && word.filled():
			r.next(c)
		case d > 0 && (word.filled() || word.free()):
			r.catchUp(c, d, word.filled())
		case d == -1 && word.filled():
			return 0, ErrFull
		default:
			return 0, ErrCorrupt
		}
	}
	return 0, errRetry
}

// putAt publishes the worker's block, ready with a message, in the empty slot that
// showed word at the worker's tail. False means that another producer was faster;
// the worker then still holds the message.
func (r *ring) putAt(w *worker, word slotWord, op, kind, next uint32) bool {
	return r.swap(w, &w.tail, op, word, makeSlot(w.tail.lap, kind, w.own, next))
}

// peek finds the message at the head, walking on from the worker's cursor, and
// takes nothing. It returns ErrEmpty, errSealed, ErrCorrupt or errRetry.
func (r *ring) peek(w *worker) (slotWord, error) {
	c := &w.head
	for n := range r.tries() {
		if n == hurry {
			r.hinted(c, r.head)
		}
		word := slotWord(r.slots[c.index].word.Load()) // SYNC(message): swap -> peek
		switch d := word.ahead(c.lap); {
		case d == 0 && word.filled():
			if word.block() >= r.blocks {
				return 0, ErrCorrupt
			}
			return word, nil
		case d == 0 && word.kind() == kindSealed:
			return 0, errSealed
		case d == 0 && word.kind() == kindEmpty:
			return 0, ErrEmpty
		case d > 0 && (word.filled() || word.free()):
			r.catchUp(c, d, false)
		default:
			return 0, ErrCorrupt
		}
	}
	return 0, errRetry
}

// takeAt takes the message that word showed at the worker's head and leaves the
// worker's block, empty, there. False means that another consumer was faster. The
// caller ends it with idle, or keeps the message leased.
func (r *ring) takeAt(w *worker, word slotWord, op uint32) bool {
	if word.kind() == kindMany {
		// The cursor belongs to the record: no other operation's record may
		// be current while it changes.
		r.idle(w)
		r.at(stepCursor)
		storeRelease(r.laneWord(w.id, laneCursor), uint64(word.next()))
	}
	return r.swap(w, &w.head, op, word, makeSlot(w.head.lap+1, kindEmpty, w.own, 0))
}

// idle ends an operation: the worker's block is its spare. It is the
// acknowledgement of what was taken.
func (r *ring) idle(w *worker) {
	r.at(stepDone)
	storeRelease(w.rec, uint64(makeRecord(opIdle, 0, w.own, 0)))
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

// advance takes k messages of the packed entry that word showed at the head,
// without taking its block: for entries of which messages remain. False means
// that another consumer was faster and what was copied is void.
func (r *ring) advance(w *worker, word slotWord, k uint32) bool {
	r.at(stepSwap)
	return r.slot(w.head.index).CompareAndSwap(uint64(word), uint64(makeSlot(word.lap(), kindMany, word.block(), word.next()+k)))
}

// notify wakes one sleeper if any is armed.
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
