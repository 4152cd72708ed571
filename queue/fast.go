package queue

// The short ways: to put, take or lease a message that has a block to itself, when its
// slot is ready at the first look, as nearly always. Each is the whole operation in one
// function, because what a call saves on the stack and loads again takes as long as what
// it does. Where anything is in the way they do nothing and return errRetry; putOn, getOn
// and leaseOn then find out what it is.
//
//	guard against faults
//	look: is the slot ready, and nothing else in the way?
//	put: copy into the lane's block
//	record ▶ swap ▶ acquired, as ring.swap does it
//	get: copy out of the lane's block ▶ idle
//
// The caller has the lane and gives it back, unless a lease keeps it, or a panic that is
// not the queue's own passes by: that has done so, see caught.

import "runtime/debug"

// pass ends an operation that found something in its way.
func (l *lane) pass() error {
	l.ok = true
	return errRetry
}

// putNow puts msg with l, the short way. msg may be in l's block already.
func (q *Queue) putNow(l *lane, msg []byte, patient bool) error {
	if q.r.hook == nil {
		return putOne[withoutSteps](l, msg, patient)
	}
	return putOne[withSteps](l, msg, patient)
}

func putOne[S any](l *lane, msg []byte, patient bool) (err error) {
	l.begin(patient)
	defer func() {
		debug.SetPanicOnFault(l.faults)
		if !l.ok {
			l.caught(recover(), &err)
		}
	}()
	q, w := l.q, &l.worker
	r, c := q.r, &w.tail
	slot := &r.slots[c.index].word
	old := slotWord(slot.Load()) // SYNC(space): swap -> room
	b := old.blockIf(c.lap, kindEmpty)
	if b >= uint64(r.blocks) || !w.raised(c) || len(msg) > r.small {
		return l.pass()
	}
	if r.state.Load() != 0 {
		return l.pass()
	}
	if q.broken.Load() {
		return l.pass()
	}
	if p := r.bytes(w.mine); inWords(len(msg)) {
		copyWords(p, msg)
	} else {
		storeShort(p, msg)
	}
	w.mine.describe(makeMeta(kindOne, len(msg), 1))
	if l.puts%sampling == 0 {
		q.sample(l)
	}
	atStep[S](r, stepRecord)
	storeRelease(w.rec, uint64(makeRecord(opPut, c.pos, w.own, uint32(b))))
	atStep[S](r, stepSwap)
	if !slot.CompareAndSwap(uint64(old), uint64(makeSlot(c.lap, kindOne, w.own, 0))) { // SYNC(message): swap -> peek
		r.linger(w, c, slotWord.free)
		return l.pass()
	}
	atStep[S](r, stepAcquired)
	pos := r.received(w, c, uint32(b))
	if pos&r.hintMask == r.hintMask {
		r.storeHint(opPut, pos+1)
	}
	l.puts++
	if r.notEmpty.Load() != 0 {
		q.wakeOne(offNotEmpty)
	}
	if prefetches && r.prefetch {
		r.prefetchAhead(slot, linesOf(len(msg)))
	}
	l.ok = true
	return nil
}

// getNow takes a message with l, the short way, and returns it in buf if its capacity
// suffices.
func (q *Queue) getNow(l *lane, buf []byte, patient bool) ([]byte, error) {
	if q.r.hook == nil {
		return getOne[withoutSteps](l, buf, patient)
	}
	return getOne[withSteps](l, buf, patient)
}

func getOne[S any](l *lane, buf []byte, patient bool) (_ []byte, err error) {
	l.begin(patient)
	defer func() {
		debug.SetPanicOnFault(l.faults)
		if !l.ok {
			l.caught(recover(), &err)
		}
	}()
	q, w := l.q, &l.worker
	r, c := q.r, &w.head
	slot := &r.slots[c.index].word
	old := slotWord(slot.Load()) // SYNC(message): swap -> peek
	b := old.blockIf(c.lap, kindOne)
	if b >= uint64(r.blocks) || !w.raised(c) {
		return nil, l.pass()
	}
	if q.broken.Load() {
		return nil, l.pass()
	}
	atStep[S](r, stepRecord)
	storeRelease(w.rec, uint64(makeRecord(opTake, c.pos, w.own, uint32(b))))
	atStep[S](r, stepSwap)
	if !slot.CompareAndSwap(uint64(old), uint64(makeSlot(c.lap+1, kindEmpty, w.own, 0))) { // SYNC(space): swap -> room
		r.linger(w, c, slotWord.filled)
		return nil, l.pass()
	}
	atStep[S](r, stepAcquired)
	if prefetches {
		switch {
		case !r.prefetch:
			r.prefetchSlot(slot)
		case uint32(b) == w.own+1: // blocks one behind the other, as nearly always
			r.prefetchInOrder(slot, b)
		default:
			r.prefetchAhead(slot, 2)
		}
	}
	pos := r.received(w, c, uint32(b))
	h := w.mine
	p, n := r.bytes(h), meta(h.meta.Load()).one()
	if n > uint64(len(p)) {
		q.broken.Store(true)
		l.ok = true
		return nil, ErrCorrupt
	}
	if inWords(int(n)) && int(n) <= cap(buf) {
		buf = buf[:n]
		copyWords(buf, p[:n])
	} else {
		buf = loadShort(buf, p[:n])
	}
	if h.stamp.Load() != 0 {
		r.noteTime(h)
	}
	atStep[S](r, stepDone)
	storeRelease(w.rec, uint64(makeRecord(opIdle, 0, uint32(b), 0)))
	if r.notFull.Load() != 0 {
		q.wakeOne(offNotFull)
	}
	if pos&r.hintMask == r.hintMask {
		r.storeHint(opTake, pos+1)
		q.attend(l)
	}
	l.ok = true
	return buf, nil
}

// leaseNow makes m the lease of a message that it takes with l, the short way.
func (q *Queue) leaseNow(l *lane, m *Lease, patient bool) error {
	if q.r.hook == nil {
		return leaseOne[withoutSteps](l, m, patient)
	}
	return leaseOne[withSteps](l, m, patient)
}

func leaseOne[S any](l *lane, m *Lease, patient bool) (err error) {
	l.begin(patient)
	defer func() {
		debug.SetPanicOnFault(l.faults)
		if !l.ok {
			l.caught(recover(), &err)
		}
	}()
	q, w := l.q, &l.worker
	r, c := q.r, &w.head
	slot := &r.slots[c.index].word
	old := slotWord(slot.Load()) // SYNC(message): swap -> peek
	b := old.blockIf(c.lap, kindOne)
	if b >= uint64(r.blocks) || !w.raised(c) {
		return l.pass()
	}
	if q.broken.Load() {
		return l.pass()
	}
	now, looked := l.seen.now(&q.clock)
	storeRelease(w.from, uint64(now))
	atStep[S](r, stepRecord)
	storeRelease(w.rec, uint64(makeRecord(opLease, c.pos, w.own, uint32(b))))
	atStep[S](r, stepSwap)
	if !slot.CompareAndSwap(uint64(old), uint64(makeSlot(c.lap+1, kindEmpty, w.own, 0))) { // SYNC(space): swap -> room
		r.linger(w, c, slotWord.filled)
		q.leaseLost(l)
		return l.pass()
	}
	atStep[S](r, stepAcquired)
	if prefetches {
		switch {
		case !r.prefetch:
			r.prefetchSlot(slot)
		case uint32(b) == w.own+1: // blocks one behind the other, as nearly always
			r.prefetchInOrder(slot, b)
		default:
			r.prefetchAhead(slot, 2)
		}
	}
	pos := r.received(w, c, uint32(b))
	if pos&r.hintMask == r.hintMask {
		r.storeHint(opLease, pos+1)
	}
	if h := w.mine; h.stamp.Load() != 0 {
		r.noteTime(h)
	}
	if r.notFull.Load() != 0 {
		q.wakeOne(offNotFull)
	}
	l.next = 0
	if err = q.deliverOn(l, m); err == ErrCorrupt {
		q.broken.Store(true)
	} else if looked {
		q.lookAround()
	}
	l.ok = true
	return err
}
