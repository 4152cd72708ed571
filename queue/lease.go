package queue

import (
	"context"
	"io"
	"iter"
	"runtime/debug"
)

// A Lease is a message that this process has taken and not yet finished. It
// ends with Ack or Nack; if the process dies first, whoever next uses the queue
// gives the message back. A lease has no time limit. One goroutine at a time may
// use it.
//
//	queue ──Lease──▶ leased ──Ack──▶ gone
//	  ▲                 │
//	  └──Nack, death────┤ fewer than MaxAttempts deliveries
//	                    └──▶ dead-letter queue
type Lease struct {
	q        *Queue
	l        *lane
	gen      uint32
	data     []byte
	attempts int
	moved    bool
}

// Lease takes the oldest message on condition that it is acknowledged, and
// waits while there is none, or no lane for the lease. It returns io.EOF,
// unwrapped, once the queue is closed for writing, drained, and no lease of
// anybody is open. Other errors are those of Get.
//
// Of an entry with several packed messages this handle leases one after the
// other; the rest waits here until the handle is closed or its process dies.
func (q *Queue) Lease(ctx context.Context) (*Lease, error) {
	m := new(Lease)
	if err := q.leaseInto(ctx, m); err != nil {
		return nil, err
	}
	return m, nil
}

// TryLease is Lease that does not wait: it returns ErrEmpty, itself and not
// wrapped, if no message is waiting, and ErrBusy if all lanes are in use.
func (q *Queue) TryLease() (*Lease, error) {
	m := new(Lease)
	err := q.tryLease(m, false)
	if err == ErrEmpty && q.returned() {
		err = q.tryLease(m, false)
	}
	if err != nil {
		return nil, getError(q.name, err)
	}
	return m, nil
}

func (q *Queue) leaseInto(ctx context.Context, m *Lease) error {
	if err := ended(ctx); err != nil {
		return wrap("lease from", q.name, err)
	}
	for {
		err := q.tryLease(m, true)
		if waitable(err) {
			err = q.await(ctx, &q.get, func(spin bool) error { return q.tryLease(m, spin) })
		}
		if err == ErrBusy { // wait for a lane where nobody waits for us
			err = q.laneFreed(ctx)
		} else if err == nil {
			return nil
		}
		if err != nil {
			return getError(q.name, err)
		}
	}
}

// tryLease leases once, if there is a lane; if spin, it waits a little for a message.
func (q *Queue) tryLease(m *Lease, spin bool) error {
	if q.nkept.Load() == 0 {
		if l := q.takeSpare(); l != nil {
			err := q.leaseNow(l, m, spin)
			if err == nil {
				return nil
			}
			q.release(l)
			if err != errRetry {
				return err
			}
		}
	}
	if l := q.takeKept(); l != nil {
		return q.leaseWith(l, m, true, spin)
	}
	l, err := q.leaseLaneNow()
	if err != nil {
		return err
	}
	return q.leaseWith(l, m, false, spin)
}

// leaseWith makes m the lease of a message on l: of the one that l kept, or of one
// that it takes. With an error, it releases l.
func (q *Queue) leaseWith(l *lane, m *Lease, kept, spin bool) (err error) {
	l.begin(spin)
	defer l.end(&err)
	if !kept {
		err = q.leaseOn(l, spin)
	}
	if err == nil {
		err = q.deliverOn(l, m)
	}
	l.keep = err == nil
	l.ok = true
	return err
}

// leaseOn takes a message and leaves it leased on the lane.
func (q *Queue) leaseOn(l *lane, spin bool) (err error) {
	announced := false
	for range maxRetries {
		var word slotWord
		if word, err = q.headOn(l, spin); err != nil {
			break
		}
		announced = true
		now, looked := l.seen.now(&q.clock)
		storeRelease(l.from, uint64(now))
		if !q.r.takeAt(&l.worker, word, opLease) {
			continue
		}
		l.next = 0
		if word.kind() == kindMany {
			l.next = word.next()
		}
		q.r.noteTime(l.mine)
		q.wakeOne(offNotFull)
		if looked {
			q.lookAround()
		}
		return nil
	}
	if announced {
		q.leaseLost(l)
	}
	if err == nil {
		err = ErrEmpty
	}
	return err
}

// leaseLost ends an attempt whose record names a lease that another consumer got: as
// long as it does, nobody can know that the queue is drained.
func (q *Queue) leaseLost(l *lane) {
	q.r.idle(&l.worker)
	q.leaseOver()
}

// deliverOn makes m the lease of the message that l has taken.
func (q *Queue) deliverOn(l *lane, m *Lease) error {
	h, ok := l.mine, false
	t := attempts(h.tries.Load()).again(l.next)
	storeRelease(&h.tries, uint64(t)) // the delivery counts from here on
	data := q.r.bytes(h)
	if n := meta(h.meta.Load()).one(); n <= uint64(len(data)) {
		data = data[:n:n]
	} else if data, ok = q.r.leased(l.own, l.next); !ok {
		return ErrCorrupt
	}
	l.lease++
	*m = Lease{q: q, l: l, gen: l.lease, data: data, attempts: int(t.of(l.next)), moved: t.moved()}
	return nil
}

// leased returns the message next of block b, in place if it is in one piece.
func (r *ring) leased(b, next uint32) ([]byte, bool) {
	switch r.meta(b).kind() {
	case kindOne:
		return r.one(b)
	case kindMany:
		if p, ok := r.packed(b); ok {
			return p.message(next)
		}
		return nil, false
	}
	return r.appendLarge(nil, b)
}

// Bytes returns the message, in the queue's own memory unless it is longer than
// one entry. It is good until Ack or Nack. A process that may write the queue can
// change it meanwhile; and a fault in it, because somebody truncated the file,
// is not turned into an error as it is everywhere else.
func (m *Lease) Bytes() []byte { return m.data }

// Attempts returns how often the message was delivered by Lease, this time
// included.
func (m *Lease) Attempts() int { return m.attempts }

// Redelivered reports whether the message was given back, by a Nack or for a
// dead consumer, alone or packed with one that was: it may come after younger
// ones.
func (m *Lease) Redelivered() bool { return m.moved || m.attempts > 1 }

// end checks that the lease is open and ends it.
func (m *Lease) end() (*lane, error) {
	q, l := m.q, m.l
	if l == nil || l.lease != m.gen {
		return nil, ErrLeaseDone
	}
	l.lease++
	m.l, m.data = nil, nil
	if q.broken.Load() {
		q.release(l)
		return nil, ErrCorrupt
	}
	return l, nil
}

// Ack finishes the message. It returns ErrLeaseDone if the lease has ended before.
func (m *Lease) Ack() error {
	l, err := m.end()
	if err != nil {
		return wrap("ack in", m.q.label(), err)
	}
	more, err := m.q.ackOn(l)
	if more {
		m.q.keep(l)
	}
	return wrap("ack in", m.q.name, err)
}

// ackOn finishes the message on l and releases l, or reports that l has more messages
// of the same entry and is the caller's still.
func (q *Queue) ackOn(l *lane) (more bool, err error) {
	l.begin(false)
	defer func() {
		debug.SetPanicOnFault(l.faults)
		if !l.ok {
			l.caught(recover(), &err)
		}
		if !more {
			q.release(l)
		}
	}()
	h := l.mine
	kind := meta(h.meta.Load()).kind()
	if kind == kindMany && q.r.nextLeased(&l.worker, l.next) {
		l.next++
		l.ok = true
		return true, nil
	}
	q.r.idle(&l.worker) // the acknowledgement; only then may the message be taken apart
	if kind == kindLarge {
		q.r.freeLarge(l.own)
	}
	q.leaseOver()
	l.ok = true
	return false, nil
}

// leaseOver wakes producers that wait for the pool, and consumers that wait to
// learn whether messages of a closed queue come back.
func (q *Queue) leaseOver() {
	if q.r.chunks > 0 {
		q.wakeOne(offNotFull)
	}
	if q.r.state.Load()&closedBit != 0 {
		q.wakeAll()
	}
}

// Nack gives the message back for another delivery, to whoever comes first. It
// goes to the end of the queue; while the queue is full, this handle keeps it for
// its own next Lease. A message that was delivered MaxAttempts times moves to the
// dead-letter queue instead.
func (m *Lease) Nack() error {
	l, err := m.end()
	if err != nil {
		return wrap("nack in", m.q.label(), err)
	}
	kept, err := m.q.nackOn(l)
	if kept {
		m.q.keep(l)
	}
	return wrap("nack in", m.q.name, err)
}

// nackOn gives the message on l back and releases l, or reports that there is no room
// and that l, with the message, is the caller's still.
func (q *Queue) nackOn(l *lane) (kept bool, err error) {
	l.begin(false)
	defer l.end(&err)
	err = q.r.giveBack(&l.worker, q.bury)
	if err == ErrFull {
		l.next = q.r.leasedNext(&l.worker)
		l.keep, l.ok = true, true
		return true, nil
	}
	q.wakeOne(offNotEmpty)
	q.leaseOver()
	l.ok = true
	return false, err
}

// keep stores a lane with a leased message for the next Lease of this handle,
// or gives the message back if the handle is closed.
func (q *Queue) keep(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pool.kept = append(q.pool.kept, l)
	q.nkept.Add(1)
	if q.closed.Load() {
		q.leaveKept()
		q.unmap()
		return
	}
	for len(q.pool.waiters) > 0 { // a Lease among them takes it, the others wait again
		q.wakeWaiter()
	}
	if len(q.get.turn) > 0 { // somebody of this handle sleeps
		var err error
		func() {
			defer q.guard(debug.SetPanicOnFault(true), &err)
			q.wakeAll()
		}()
	}
}

func (q *Queue) takeKept() *lane {
	if q.nkept.Load() == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pool.kept) == 0 || q.closed.Load() {
		return nil
	}
	l := q.pool.kept[0]
	q.pool.kept = q.pool.kept[1:]
	q.nkept.Add(-1)
	return l
}

// leaveKept ends the lanes with kept messages of a closed handle: the messages
// go back now, or, if there is no room, when somebody reaps the lane; mu is held.
func (q *Queue) leaveKept() {
	for _, l := range q.pool.kept {
		var err error
		func() {
			defer q.guard(debug.SetPanicOnFault(true), &err)
			if !q.broken.Load() {
				err = q.r.giveBack(&l.worker, q.bury)
				q.wakeOne(offNotEmpty)
			}
		}()
		if err != nil {
			q.os.Unlock(int(l.id)) // its holder word stays, for the reaper
		} else {
			q.leave(l.id)
		}
		q.setLeased(l, false)
		q.left(l)
	}
	q.pool.kept = nil
	q.nkept.Store(0)
}

// label is Name for a lease whose queue may be nil.
func (q *Queue) label() string {
	if q == nil {
		return ""
	}
	return q.name
}

// Leases yields leases as Messages yields messages. A lease that the loop's
// body has not ended is given back, also when it leaves by break or panics.
func (q *Queue) Leases(ctx context.Context) iter.Seq2[*Lease, error] {
	return func(yield func(*Lease, error) bool) {
		for {
			m, err := q.Lease(ctx)
			switch {
			case err == io.EOF:
				return
			case err != nil:
				yield(nil, err)
				return
			case !m.lend(yield):
				return
			}
		}
	}
}

// lend yields m, gives it back if it is open afterwards, and reports whether to go on.
func (m *Lease) lend(yield func(*Lease, error) bool) bool {
	defer func() {
		if m.l != nil {
			m.Nack()
		}
	}()
	return yield(m, nil)
}
