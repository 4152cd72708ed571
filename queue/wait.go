package queue

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// How an operation waits for the other side: it spins a little while the other
// side is likely to be quick, then sleeps in the kernel.
//
// In each handle at most one goroutine a side spins or sleeps on shared words;
// the others wait for their turn on a channel, so 10,000 waiting goroutines are
// one parked thread.

// maxSleep bounds every sleep: a wake-up that died with the process that owed
// it is made up for after this long, and the dead are looked for as often.
const maxSleep = 250 * time.Millisecond

// side is one direction of waiting: for messages, or for space.
type side struct {
	turn chan struct{} // holds a token while a goroutine spins or sleeps
	line int           // offNotEmpty or offNotFull
	luck atomic.Int32  // how well spinning went lately, 0 to maxLuck

	spinning atomic.Bool
	backoff  backoff // its spinner's
}

// A spin is up to maxLuck+1 rounds. Each looks at the shared word 64 times, 8
// loads of a private word apart, which takes about as long as a cache line
// needs to come from the other processor; then it yields the processor, which
// lets the other side run if both share one. A hot peer answers in the first
// round. The longest useless spin costs about what the wake-up would have cost that
// it was to save, some 50 us where that wakes a processor, and each one makes the
// next half as long. Where others of this side sleep already, spinners would take the
// processors from those who have work: there the spin is short.
const (
	maxLuck   = 63
	crowdLuck = 7
	spinLooks = 64
	spinPause = 8
)

// spin waits a little for the slot's word to change from old, and reports whether it
// did. armed tells whether anybody of this side sleeps. If another goroutine of this handle
// spins already, or other programs want the processor, it does not.
func (s *side) spin(slot *atomic.Uint64, old slotWord, armed *atomic.Uint32) bool {
	if !s.spinning.CompareAndSwap(false, true) {
		return false
	}
	defer s.spinning.Store(false)
	if s.backoff.active() {
		return false
	}
	var private atomic.Uint32
	luck := s.luck.Load()
	for round := int32(0); round <= luck && (round <= crowdLuck || armed.Load() == 0); round++ {
		for range spinLooks {
			if slot.Load() != uint64(old) {
				if luck < maxLuck {
					s.luck.Store(luck + 1)
				}
				s.backoff.kept()
				return true
			}
			for range spinPause {
				private.Load()
			}
		}
		since := startSpan()
		yield()
		if since.long() && !s.passed(old, slotWord(slot.Load())) {
			s.backoff.lost(time.Now())
			break
		}
	}
	s.luck.Store(luck / 2)
	return slot.Load() != uint64(old)
}

// passed reports whether others of this side have used a slot meanwhile, whose word was old
// and is now. Then it is they who have the processor, and it is in good hands.
func (s *side) passed(old, now slotWord) bool {
	return now.lap() != old.lap() && (s.line == offNotEmpty || now.filled())
}

// Who has just met others at a slot would meet them again at the next one, and to take
// a slot's line from a processor that is about to change it costs both more than the
// message. So it lets them get ahead, if there is enough to do for them: until the slot
// so many positions on has changed, or for some 25 us. First it gives its processor to
// who waits for one: two consumers that meet may keep it from a producer.
const (
	lingerSlots = 64
	lingerLooks = 2048
	lingerPause = 4 * spinPause
)

// linger waits a little while the slot far behind c is as it is.
//
//	a producer that waited for space     filled: consumers have not been there
//	a producer that lost its swap        free: the other producers have not
//	a consumer that lost its swap        filled: the other consumers have not
//
// A consumer that waited for a message gathers instead. A call that never waits does
// neither.
func (r *ring) linger(w *worker, c *cursor, still func(slotWord) bool) {
	if !w.patient {
		return
	}
	r.at(stepLinger)
	far := r.slot((c.index + min(lingerSlots, r.capacity/4)) % r.capacity)
	var private atomic.Uint32
	if still(slotWord(far.Load())) {
		yield()
	}
	for n := 0; n < lingerLooks && still(slotWord(far.Load())); n++ {
		for range lingerPause {
			private.Load()
		}
	}
}

// A consumer that has caught up with a producer looks at each slot while that one is about
// to fill it, and both wait for the slot's line as often as there are messages. If more of
// them are on their way, it lets the producer get ahead, too: for some 6 us at most, if the
// next message comes within 0.4. Where none comes, as the peer waits for an answer, it was
// in vain: so after each time in vain it tries only after twice as many waits.
const (
	gatherFirst  = 32
	gatherLooks  = 512
	gatherMisses = 10 // doublings at most
)

// gather waits a little for more messages behind the one at w's head, which w has waited
// for.
func (r *ring) gather(w *worker) {
	switch {
	case w.skips > 0:
		w.skips--
	case !w.patient:
	case r.follows(w, 1, gatherFirst) && r.follows(w, lingerSlots, gatherLooks):
		w.misses = 0
	default:
		w.misses = min(w.misses+1, gatherMisses)
		w.skips = 1 << w.misses
	}
}

// follows waits for a message n slots behind w's head, or as many as the ring can hold to
// spare, and reports whether it came.
func (r *ring) follows(w *worker, n uint32, looks int) bool {
	r.at(stepLinger)
	slot := r.slot((w.head.index + min(n, r.capacity/4)) % r.capacity)
	var private atomic.Uint32
	for ; slotWord(slot.Load()).free(); looks-- {
		if looks == 0 {
			return false
		}
		for range lingerPause {
			private.Load()
		}
	}
	return true
}

// await waits for side s after an operation found it ErrFull or ErrEmpty, and
// calls try, which is that operation once more, until it returns something
// else. It ends with ctx, with Close, and with the removal of the queue.
// Preconditions: try does not wait for a lane as a lease needs it, which others may
// keep for long.
func (q *Queue) await(ctx context.Context, s *side, try func(spin bool) error) (err error) {
	if err := q.takeTurn(ctx, s); err != nil {
		return err
	}
	mine := true
	defer func() {
		if mine {
			<-s.turn
		}
	}()
	if err := q.pin(); err != nil {
		return err
	}
	defer q.unpin()
	defer func() {
		if err == ErrBusy || errors.Is(err, os.ErrClosed) { // another can take what this was woken for
			q.wakeNext(s.line)
		}
	}()
	for slept := false; ; slept = true {
		if err := try(true); !waitable(err) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := q.usable(); err != nil {
			return err
		}
		if _, err := q.lookAround(); err != nil {
			return err
		}
		if slept { // in vain: what there is may do for the next, who wants less or something else
			<-s.turn
			if err := q.takeTurn(ctx, s); err != nil {
				mine = false
				return err
			}
		}
		if err := q.sleep(ctx, s, try); err != errRetry {
			return err
		}
	}
}

// takeTurn waits until no other goroutine of this handle waits in the front of s.
func (q *Queue) takeTurn(ctx context.Context, s *side) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-q.done:
		return os.ErrClosed
	}
}

// wakeOne wakes one sleeper if any is armed. Called after every publish with
// offNotEmpty and after every take with offNotFull.
func (q *Queue) wakeOne(line int) {
	armed := q.r.notEmpty
	if line == offNotFull {
		armed = q.r.notFull
	}
	if armed.Load() != 0 {
		q.r.notify(line, q.os.wake)
	}
}

// wakeNext is wakeOne outside of an operation.
func (q *Queue) wakeNext(line int) {
	var err error
	defer q.guard(debug.SetPanicOnFault(true), &err)
	q.wakeOne(line)
}

// ended returns ctx.Err(), for nothing if ctx can't end.
func ended(ctx context.Context) error {
	if ctx.Done() == nil {
		return nil
	}
	return ctx.Err()
}

// waitable reports whether err says to wait for the other side.
func waitable(err error) bool { return err == ErrFull || err == ErrEmpty }

// lookAround looks for the dead and for the queue's own end, and gives lanes back
// that are not needed, at most every maxSleep. It reports whether it did.
func (q *Queue) lookAround() (bool, error) {
	now := q.clock.since()
	last := q.looked.Load()
	if last != 0 && now-time.Duration(last) < maxSleep || !q.looked.CompareAndSwap(last, int64(now)) {
		return false, nil
	}
	if q.os.removed() {
		if err := q.mark(removedBit); err != nil {
			return true, err
		}
	}
	q.leaveUnused()
	return true, q.reapDead()
}

// attend looks around in the middle of an operation on l, every so often. Where no call
// ever waits, because there is always a message and always space, nobody else would give
// back what the dead had. What it meets is for the next operation to say.
func (q *Queue) attend(l *lane) {
	if _, looked := l.seen.now(&q.clock); looked {
		if canBarrier {
			l.light = q.light.prepared(q.clock.since())
		}
		q.lookAround()
	}
}

// sleep arms the side, tries once more, and sleeps. It returns errRetry when it
// is time to try again.
func (q *Queue) sleep(ctx context.Context, s *side, try func(spin bool) error) (err error) {
	defer q.guard(debug.SetPanicOnFault(true), &err)
	seq, old := q.r.arm(s.line) // SYNC(sleep): arm -> notify
	if err := try(false); !waitable(err) {
		return err
	}
	q.r.word(offStats + statWaits).Add(1)
	if err := q.os.Wait(ctx, seq, old, maxSleep); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return errRetry
}
