package queue

import (
	"context"
	"fmt"
	"os"
	"time"
)

// sampling: one message in so many carries the time at which it was put.
const sampling = 64

// Put appends msg and waits for space while the queue is full. When it returns
// nil, the message is delivered to at most one Get. When it returns an error,
// the message was not put: ErrTooLarge, ErrClosedWrite, ErrRemoved,
// os.ErrClosed, ErrCorrupt, or the context's. The queue keeps no reference to msg.
func (q *Queue) Put(ctx context.Context, msg []byte) error {
	if ctx.Done() != nil && ctx.Err() != nil {
		return wrap("put to", q.name, ctx.Err())
	}
	err := errRetry
	if l := q.fast; l.busy.CompareAndSwap(0, 1) {
		if q.r.hook == nil { // putNow, without one more call
			err = putOne[withoutSteps](l, msg, true)
		} else {
			err = putOne[withSteps](l, msg, true)
		}
		q.releaseFast(l)
		if err == nil {
			return nil
		}
	}
	return q.putAnyhow(ctx, msg, err)
}

// putAnyhow is Put after putNow returned err.
func (q *Queue) putAnyhow(ctx context.Context, msg []byte, err error) error {
	if err == errRetry {
		err = q.tryPut(msg, true)
	}
	if waitable(err) {
		err = q.await(ctx, &q.put, func(spin bool) error { return q.tryPut(msg, spin) })
	}
	return wrap("put to", q.name, err)
}

// TryPut is Put that does not wait: it returns ErrFull, itself and not
// wrapped, if there is no space now.
func (q *Queue) TryPut(msg []byte) error {
	err := errRetry
	if l := q.fast; l.busy.CompareAndSwap(0, 1) {
		err = q.putNow(l, msg, false)
		q.releaseFast(l)
	}
	if err == errRetry {
		err = q.tryPut(msg, false)
	}
	if err == ErrFull && q.returned() {
		err = q.tryPut(msg, false) // the dead may have held the memory for long messages
	}
	if err == nil || err == ErrFull {
		return err
	}
	return wrap("put to", q.name, err)
}

// tryPut puts once; if spin, it waits a little for space.
func (q *Queue) tryPut(msg []byte, spin bool) (err error) {
	l, err := q.acquire()
	if err != nil {
		return err
	}
	l.begin(spin)
	defer l.end(&err)
	err = q.putOn(l, msg, spin)
	l.ok = true
	return err
}

// putOn puts msg, whatever is in the way.
func (q *Queue) putOn(l *lane, msg []byte, spin bool) error {
	if len(msg) > q.r.maxMessage {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(msg), q.r.maxMessage)
	}
	word, err := q.roomOn(l, spin)
	if err != nil {
		return err
	}
	kind := uint32(kindOne)
	if len(msg) <= q.r.inline {
		q.r.fillOne(l.mine, msg)
	} else {
		kind = kindLarge
		if !q.r.fillLarge(l.own, msg, l.own*8) {
			return ErrFull
		}
	}
	return q.publishOn(l, word, kind, 1)
}

// roomOn finds the empty slot at the tail, and waits a little for one if spin. A
// message is copied into its block only after this, so that waiting for space
// costs no copying.
func (q *Queue) roomOn(l *lane, spin bool) (slotWord, error) {
	if err := q.writable(); err != nil {
		return 0, err
	}
	if word, ok := q.r.roomHere(&l.worker); ok {
		return word, nil
	}
	for range maxRetries {
		word, err := q.r.room(&l.worker)
		switch {
		case err == nil:
			return word, nil
		case err == errSealed:
			return 0, ErrClosedWrite
		case err == errRetry:
			continue
		case err == ErrFull && spin:
			slot := q.r.slot(l.tail.index)
			word := slotWord(slot.Load())
			if word.ahead(l.tail.lap) >= 0 {
				continue
			}
			if q.put.spin(slot, word, q.r.notFull) {
				q.r.linger(&l.worker, &l.tail, slotWord.filled)
				continue
			}
		}
		return 0, err
	}
	return 0, ErrFull
}

// writable refuses a broken handle and a queue that takes no more messages.
func (q *Queue) writable() error {
	if q.broken.Load() {
		return ErrCorrupt
	}
	switch state := q.r.state.Load(); {
	case state&removedBit != 0:
		return ErrRemoved
	case state&closedBit != 0:
		return ErrClosedWrite
	}
	return nil
}

// publishOn publishes the message of kind that is ready in the lane's block,
// for n messages in one, at the slot that showed word or behind it.
func (q *Queue) publishOn(l *lane, word slotWord, kind uint32, n int) error {
	if l.puts%sampling == 0 {
		q.sample(l)
	}
	if !q.r.putAt(&l.worker, word, opPut, kind, 0) {
		if err := q.publishAgain(l, kind); err != nil {
			return err
		}
	}
	l.puts++
	if n > 1 {
		q.r.laneWord(l.id, lanePacked).Add(uint64(n - 1))
	}
	q.wakeOne(offNotEmpty)
	return nil
}

// sample stamps the lane's block with the time, and notes how full the queue is.
func (q *Queue) sample(l *lane) {
	q.attend(l)
	l.mine.stamp.Store(uint64(time.Now().UnixNano()))
	q.r.noteDepth(&l.worker)
}

// publishAgain publishes what another producer kept from being published.
func (q *Queue) publishAgain(l *lane, kind uint32) error {
	err := errRetry
	for range maxRetries {
		var word slotWord
		if word, err = q.r.room(&l.worker); err != nil {
			break
		}
		if q.r.putAt(&l.worker, word, opPut, kind, 0) {
			return nil
		}
	}
	if kind == kindLarge {
		q.r.freeLarge(l.own)
	}
	switch err {
	case errSealed:
		return ErrClosedWrite
	case nil, errRetry:
		return ErrFull // as good as: the caller comes again, after a look at its context
	}
	return err
}

// PutBatch puts msgs in order and waits for space where it must. Messages that
// fit together into one entry are packed and published at once, so a
// consumer sees all of them or none; entries are consecutive only as far as
// other producers do not come between. It returns how many were put: all, or
// those before the error, which is one of those of Put.
func (q *Queue) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	done := 0
	for done < len(msgs) {
		if err := ended(ctx); err != nil {
			return done, wrap("put to", q.name, err)
		}
		n, err := q.tryPutBatch(msgs[done:], true)
		if waitable(err) {
			err = q.await(ctx, &q.put, func(spin bool) error {
				n, err = q.tryPutBatch(msgs[done:], spin)
				return err
			})
		}
		done += n
		if err != nil {
			return done, wrap("put to", q.name, err)
		}
	}
	return done, nil
}

// tryPutBatch puts messages until there is no room. It returns nil if it put
// any.
func (q *Queue) tryPutBatch(msgs [][]byte, spin bool) (n int, err error) {
	l, err := q.acquire()
	if err != nil {
		return 0, err
	}
	l.begin(spin)
	defer l.end(&err)
	for n < len(msgs) && err == nil {
		var k int
		k, err = q.putSomeOn(l, msgs[n:], spin && n == 0)
		n += k
	}
	if n > 0 && waitable(err) {
		err = nil
	}
	l.ok = true
	return n, err
}

// putSomeOn puts one entry.
func (q *Queue) putSomeOn(l *lane, msgs [][]byte, spin bool) (n int, err error) {
	if len(msgs[0]) > q.r.maxMessage {
		return 0, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(msgs[0]), q.r.maxMessage)
	}
	n = q.r.packable(msgs)
	if n <= 1 {
		if err := q.putOn(l, msgs[0], spin); err != nil {
			return 0, err
		}
		return 1, nil
	}
	word, err := q.roomOn(l, spin)
	if err != nil {
		return 0, err
	}
	if packed := q.r.word32(offState + statePacked); packed.Load() == 0 {
		packed.Store(1)
	}
	q.r.fillMany(l.mine, msgs[:n])
	if err := q.publishOn(l, word, kindMany, n); err != nil {
		return 0, err
	}
	return n, nil
}

// A Reservation is a piece of the queue's own memory for a message to be
// written in place. It must end with Commit or Abort. One goroutine at a time
// may use it.
type Reservation struct {
	q    *Queue
	l    *lane
	data []byte
	held bool // data is private, for a message longer than one entry
}

// Reserve returns memory for a message of n bytes, and waits while no lane is
// free for it. The memory counts as used from now on, but space in the queue is
// found by Commit. A message that does not fit one entry gets private memory, and
// Commit copies it. It returns ErrTooLarge, os.ErrClosed, ErrCorrupt or the
// context's error, and then a reservation that has ended.
func (q *Queue) Reserve(ctx context.Context, n int) (*Reservation, error) {
	r := new(Reservation) // on the caller's stack: this function is inlined
	return r, q.reserve(ctx, n, r)
}

func (q *Queue) reserve(ctx context.Context, n int, r *Reservation) error {
	if n < 0 || n > q.r.maxMessage {
		return wrap("reserve in", q.name, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, n, q.r.maxMessage))
	}
	if n > q.r.inline {
		*r = Reservation{q: q, data: make([]byte, n), held: true}
		return nil
	}
	l := q.takeSpare()
	if l == nil {
		var err error
		if l, err = q.lane(ctx, true); err != nil {
			return wrap("reserve in", q.name, err)
		}
	}
	*r = Reservation{q: q, l: l, data: q.r.bytes(l.mine)[:n:n]}
	return nil
}

// Bytes returns the memory for the message. It is shared: a fault there,
// because another process truncated the file, is not turned into an error,
// and a pointer into it must not be used after Commit or Abort.
func (r *Reservation) Bytes() []byte { return r.data }

// Commit puts the message and ends the reservation. It waits while the
// queue is full. On an error the message was not put; errors are those of Put,
// and ErrLeaseDone if the reservation has ended before.
func (r *Reservation) Commit(ctx context.Context) error {
	q, l, n := r.q, r.l, len(r.data)
	if q == nil {
		return ErrLeaseDone
	}
	if r.held {
		data := r.data
		*r = Reservation{}
		return q.Put(ctx, data)
	}
	*r = Reservation{}
	err := errRetry
	if !q.closed.Load() {
		if err = q.putNow(l, q.r.bytes(l.mine)[:n], true); err == nil {
			q.release(l)
			return nil
		}
	}
	if err == errRetry {
		err = q.commitOn(l, n, true)
	}
	if waitable(err) {
		err = q.await(ctx, &q.put, func(spin bool) error { return q.commitOn(l, n, spin) })
	}
	q.release(l)
	if err != nil {
		return wrap("commit to", q.name, err)
	}
	return nil
}

func (q *Queue) commitOn(l *lane, n int, spin bool) (err error) {
	l.begin(spin)
	l.keep = true
	defer l.end(&err)
	if q.closed.Load() {
		return os.ErrClosed
	}
	word, err := q.roomOn(l, spin)
	if err == nil {
		l.mine.describe(makeMeta(kindOne, n, 1))
		err = q.publishOn(l, word, kindOne, 1)
	}
	l.ok = true
	return err
}

// Abort ends the reservation and puts nothing. After Commit it does nothing.
func (r *Reservation) Abort() {
	if r.l != nil {
		r.q.release(r.l)
	}
	*r = Reservation{}
}
