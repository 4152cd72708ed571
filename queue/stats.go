package queue

import (
	"math/bits"
	"runtime/debug"
	"time"
)

// Stats are a queue's numbers since it was created, of all processes together.
// They are read one after the other while the queue is in use.
type Stats struct {
	Capacity   int   `json:"capacity"`    // entries
	MaxMessage int   `json:"max_message"` // bytes
	Bytes      int64 `json:"bytes"`       // size of the file, reserved

	Len       int `json:"len"`        // messages waiting
	Entries   int `json:"entries"`    // entries waiting, at most Capacity
	HighWater int `json:"high_water"` // most entries waiting, sampled
	Leased    int `json:"leased"`     // entries out on lease

	Puts       uint64 `json:"puts"`         // messages put, redeliveries not counted
	Gets       uint64 `json:"gets"`         // messages taken by Get or acknowledged, or lost
	Requeued   uint64 `json:"requeued"`     // entries put back by Nack or for a dead consumer
	Dead       uint64 `json:"dead"`         // messages moved to the dead-letter queue
	Lost       uint64 `json:"lost"`         // messages that died in the hand of a Get
	LostAtMost uint64 `json:"lost_at_most"` // messages of packed entries and batches that may have, beyond Lost
	Waits      uint64 `json:"waits"`        // times a process went to sleep

	Chunks     int `json:"chunks"`      // pieces of the pool for long messages
	ChunksUsed int `json:"chunks_used"` // of them in use

	ClosedWrite bool      `json:"closed_write"`
	Removed     bool      `json:"removed"` // it has no name any more: nobody new can come
	Created     time.Time `json:"created"`

	// TimeInQueue counts sampled messages, one in 64, by the time they waited:
	// element i those below 1<<i ns and not below half of that.
	TimeInQueue []uint64 `json:"time_in_queue_log2_ns"`
	Sampled     uint64   `json:"sampled"`

	Holders []Holder `json:"holders"`
}

// A Holder is a process that has joined a lane of the queue.
type Holder struct {
	Lane  int       `json:"lane"`
	PID   int       `json:"pid"`   // as its own pid namespace numbers it
	Alive bool      `json:"alive"` // the kernel holds its lock; a dead one has yet to be cleaned up after
	Lease bool      `json:"lease"` // it has a message on lease
	Since time.Time `json:"since"` // when that lease began, to some ms
}

// Len returns how many messages are waiting: exactly, if nobody uses the
// queue meanwhile. After Close it is 0.
func (q *Queue) Len() int {
	if q.pin() != nil {
		return 0
	}
	defer q.unpin()
	n, err := 0, error(nil)
	func() {
		defer q.guard(debug.SetPanicOnFault(true), &err)
		_, n = q.r.count()
	}()
	return n
}

// Stats reads the queue's numbers. It disturbs nobody. After Close, and of memory
// that is gone, they are zero.
func (q *Queue) Stats() Stats {
	if q.pin() != nil {
		return Stats{}
	}
	defer q.unpin()
	var s Stats
	var err error
	func() {
		defer q.guard(debug.SetPanicOnFault(true), &err)
		s = q.stats()
	}()
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, h := range s.Holders {
		s.Holders[i].Alive = h.Alive || q.lanes[h.Lane] != nil
	}
	return s
}

// stats reads the numbers, which may meet a fault.
func (q *Queue) stats() Stats {
	s := q.r.stats(q.holderAlive)
	s.Removed = s.Removed || q.os.removed()
	return s
}

// holderAlive reports whether the kernel holds lane's lock for another handle.
func (q *Queue) holderAlive(lane int) bool {
	held, err := q.os.Held(lane)
	return held || err != nil
}

// count returns the entries and messages that are waiting.
func (r *ring) count() (entries, messages int) {
	t, h := r.ends()
	entries = int(min(t-h, uint64(r.capacity)))
	if r.word32(offState+statePacked).Load() == 0 {
		return entries, entries
	}
	c := r.cursorAt(h)
	for range entries {
		word := slotWord(r.slot(c.index).Load())
		switch {
		case word.ahead(c.lap) != 0 || !word.filled():
		case word.kind() == kindMany && word.block() < r.blocks:
			messages += max(0, min(r.meta(word.block()).count(), maxPacked)-int(word.next()))
		default:
			messages++
		}
		r.next(&c)
	}
	return entries, messages
}

// ends returns the positions of tail and head.
func (r *ring) ends() (tail, head uint64) {
	w := r.newWorker(0, 0)
	for range 4 { // each try walks a whole lap
		if _, err := r.peek(w); err != errRetry {
			break
		}
	}
	for range 4 {
		if _, err := r.room(w); err != errRetry {
			break
		}
	}
	tail, head = w.tail.pos, w.head.pos
	if int64(tail-head) < 0 {
		tail = head
	}
	return tail, head
}

func (r *ring) stats(alive func(lane int) bool) Stats {
	tail, _ := r.ends()
	s := Stats{
		Capacity: int(r.capacity), MaxMessage: r.maxMessage, Bytes: int64(r.size),
		HighWater: int(r.word(offStats + statHighWater).Load()),
		Chunks:    int(r.chunks), ChunksUsed: r.chunksUsed(),
		ClosedWrite: r.word32(offState+stateFlags).Load()&closedBit != 0,
		Removed:     r.word32(offState+stateFlags).Load()&removedBit != 0,
		Created:     time.Unix(0, r.created),
		TimeInQueue: make([]uint64, histBuckets),
		Puts:        tail - uint64(r.capacity),
	}
	s.Entries, s.Len = r.count()
	s.HighWater = max(s.HighWater, s.Entries)
	leased := uint64(0)
	for k := range r.lanes {
		s.Puts += r.laneWord(k, lanePacked).Load()
		requeued := r.laneWord(k, laneRequeued).Load()
		s.Requeued += requeued
		s.Puts -= requeued
		s.Dead += r.laneWord(k, laneDead).Load()
		s.Lost += r.laneWord(k, laneLost).Load() >> 40
		s.LostAtMost += r.laneWord(k, laneLostMany).Load()
		rec := record(r.laneWord(k, laneRecord).Load())
		lease := rec.op() == opLease || rec.op() == opHold || rec.op() == opRequeue
		if lease {
			s.Leased++
			leased += r.leasedMessages(k, rec)
		}
		if pid := r.laneWord(k, laneHolder).Load(); pid != 0 {
			h := Holder{Lane: int(k), PID: int(int32(pid)), Alive: alive(int(k)), Lease: lease}
			if lease {
				h.Since = time.Unix(0, int64(r.laneWord(k, laneSince).Load()))
			}
			s.Holders = append(s.Holders, h)
		}
	}
	for i := range s.TimeInQueue {
		s.TimeInQueue[i] = r.word(offStats + statHist + 8*i).Load()
		s.Sampled += s.TimeInQueue[i]
	}
	s.Waits = r.word(offStats + statWaits).Load()
	// The counters of one operation are several words: a crash between them
	// leaves the sums off by one.
	if int64(s.Puts) < 0 {
		s.Puts = 0
	}
	if held := uint64(s.Len) + s.Dead + leased; held < s.Puts {
		s.Gets = s.Puts - held
	}
	return s
}

// leasedMessages counts the messages that lane k has on lease.
func (r *ring) leasedMessages(k uint32, rec record) uint64 {
	b := rec.other()
	if rec.op() != opLease {
		b = rec.own()
	}
	if b >= r.blocks {
		return 0
	}
	if m := r.meta(b); m.kind() == kindMany {
		return uint64(max(0, min(m.count(), maxPacked)-int(r.laneWord(k, laneCursor).Load()&0xff)))
	}
	return 1
}

// noteDepth keeps the high-water mark; called for one put in so many.
func (r *ring) noteDepth(w *worker) {
	depth := w.tail.pos + 1 - r.word(offHead).Load()
	high := r.word(offStats + statHighWater)
	if old := high.Load(); depth > old && depth <= uint64(r.capacity) {
		high.CompareAndSwap(old, depth)
	}
}

// noteTime counts how long the message in block b waited, if it is a sampled one.
func (r *ring) noteTime(h *blockHead) {
	stamp := h.stamp.Load()
	if stamp == 0 {
		return
	}
	h.stamp.Store(0)
	d := max(0, time.Now().UnixNano()-int64(stamp))
	r.word(offStats + statHist + 8*min(bits.Len64(uint64(d)), histBuckets-1)).Add(1)
}
