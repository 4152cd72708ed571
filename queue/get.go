package queue

import (
	"context"
	"io"
	"iter"
	"slices"
)

// Get removes the oldest message and returns it, and waits while there is none.
// A message is delivered to at most one Get; it is lost only if this process
// dies with it in hand. It returns io.EOF, unwrapped, once the queue is closed
// for writing and nothing can come any more; otherwise ErrRemoved, os.ErrClosed,
// ErrCorrupt, or the context's error.
func (q *Queue) Get(ctx context.Context) ([]byte, error) { return q.GetInto(ctx, nil) }

// GetInto is Get that stores the message in buf if its capacity suffices, and
// in new memory otherwise. It returns the message.
func (q *Queue) GetInto(ctx context.Context, buf []byte) ([]byte, error) {
	if ctx.Done() != nil && ctx.Err() != nil {
		return nil, wrap("get from", q.name, ctx.Err())
	}
	err := errRetry
	if l := q.fast; l.busy.CompareAndSwap(0, 1) {
		var msg []byte
		if q.r.hook == nil { // getNow, without one more call
			msg, err = getOne[withoutSteps](l, buf, true)
		} else {
			msg, err = getOne[withSteps](l, buf, true)
		}
		if err == nil {
			q.releaseFast(l)
			return msg, nil
		}
		if err == errRetry {
			msg, err = q.getSoon(l, buf)
		}
		q.releaseFast(l)
		if err == nil {
			return msg, nil
		}
	}
	return q.getAnyhow(ctx, buf, err)
}

// getSoon waits a little for a message, and takes it if getNow can.
func (q *Queue) getSoon(l *lane, buf []byte) (msg []byte, err error) {
	for range maxRetries {
		if err = q.oneOn(l); err != nil {
			break
		}
		if msg, err = q.getNow(l, buf, true); err != errRetry {
			break
		}
	}
	return msg, err
}

// oneOn waits a little until a message that has a block to itself is at the head.
func (q *Queue) oneOn(l *lane) (err error) {
	l.begin(true)
	l.keep = true
	defer l.end(&err)
	word, err := q.headOn(l, true)
	if err == nil && (word.kind() != kindOne || !l.raised(&l.head)) {
		err = errRetry
	}
	l.ok = true
	return err
}

// getAnyhow is GetInto after getNow and getSoon failed.
func (q *Queue) getAnyhow(ctx context.Context, buf []byte, err error) ([]byte, error) {
	if err == errRetry {
		var msg []byte
		if msg, err = q.tryGet(buf[:0], true); err == nil {
			return msg, nil
		}
	}
	if !waitable(err) {
		return nil, getError(q.name, err)
	}
	return q.getAwait(ctx, buf)
}

func (q *Queue) getAwait(ctx context.Context, buf []byte) (msg []byte, err error) {
	err = q.await(ctx, &q.get, func(spin bool) (err error) {
		msg, err = q.tryGet(buf[:0], spin)
		return err
	})
	if err != nil {
		return nil, getError(q.name, err)
	}
	return msg, nil
}

// TryGet is Get that does not wait: it returns ErrEmpty, itself and not
// wrapped, if no message is waiting.
func (q *Queue) TryGet() ([]byte, error) {
	var msg []byte
	err := errRetry
	if l := q.fast; l.busy.CompareAndSwap(0, 1) {
		msg, err = q.getNow(l, nil, false)
		q.releaseFast(l)
	}
	if err == errRetry {
		msg, err = q.tryGet(nil, false)
	}
	if err == ErrEmpty && q.returned() {
		msg, err = q.tryGet(nil, false)
	}
	if err != nil {
		return nil, getError(q.name, err)
	}
	return msg, nil
}

// returned looks for what the dead had, for callers that never wait. It is false
// if nothing can have changed.
func (q *Queue) returned() bool {
	if q.pin() != nil {
		return false
	}
	defer q.unpin()
	looked, err := q.lookAround()
	return looked && err == nil
}

// getError wraps err, but for the two that callers compare.
func getError(name string, err error) error {
	if err == ErrEmpty || err == io.EOF {
		return err
	}
	return wrap("get from", name, err)
}

// Messages yields messages until the queue is closed for writing and drained, ctx
// ends, or an error comes, which is then the last thing yielded. The bytes are
// good until the next iteration.
func (q *Queue) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var buf []byte
		for {
			msg, err := q.GetInto(ctx, buf)
			if err == io.EOF {
				return
			}
			if !yield(msg, err) || err != nil {
				return
			}
			buf = msg
		}
	}
}

// tryGet gets once; if spin, it waits a little for a message.
func (q *Queue) tryGet(buf []byte, spin bool) (msg []byte, err error) {
	l, err := q.acquire()
	if err != nil {
		return nil, err
	}
	l.begin(spin)
	defer l.end(&err)
	msg, err = q.getOn(l, buf, spin)
	if err == nil {
		q.attend(l)
	}
	l.ok = true
	return msg, err
}

// getOn gets a message, whatever it is.
func (q *Queue) getOn(l *lane, buf []byte, spin bool) ([]byte, error) {
	for range maxRetries {
		word, err := q.headOn(l, spin)
		if err != nil {
			return nil, err
		}
		if word.kind() == kindMany {
			msg, n, err := q.unpackOn(l, word, buf, nil, 1)
			if n == 0 && err == nil {
				continue
			}
			return msg, err
		}
		if !q.r.takeAt(&l.worker, word, opTake) {
			continue
		}
		msg, ok := q.r.appendMessage(buf, l.own, 0)
		if !ok {
			return nil, ErrCorrupt
		}
		q.finishTake(l, word)
		return msg, nil
	}
	return nil, ErrEmpty
}

// finishTake ends a take: what the block held is in private memory, or done with.
func (q *Queue) finishTake(l *lane, word slotWord) {
	q.r.noteTime(l.mine)
	q.r.idle(&l.worker)
	if word.kind() == kindLarge {
		q.r.freeLarge(l.own)
	}
	q.wakeOne(offNotFull)
}

// headOn finds the message at the head, and waits a little for it if spin. It
// returns ErrEmpty, io.EOF, ErrRemoved or ErrCorrupt.
func (q *Queue) headOn(l *lane, spin bool) (slotWord, error) {
	if q.broken.Load() {
		return 0, ErrCorrupt
	}
	if word, ok := q.r.peekHere(&l.worker); ok {
		return word, nil
	}
	for range maxRetries {
		word, err := q.r.peek(&l.worker)
		switch err {
		case errRetry:
			continue
		case ErrEmpty:
			state := q.r.word32(offState + stateFlags).Load()
			if state&removedBit != 0 {
				return 0, ErrRemoved
			}
			if state&closedBit != 0 {
				if !q.r.seal(&l.worker) {
					continue // a message came first
				}
				q.wakeAll() // those who wait for messages can stop
				continue
			}
			if !spin {
				return 0, ErrEmpty
			}
			slot := q.r.slot(l.head.index)
			word := slotWord(slot.Load())
			if word.is(l.head.lap, kindEmpty) && !q.get.spin(slot, word, q.r.notEmpty) {
				return 0, ErrEmpty
			}
			if prefetches {
				q.r.prefetchHere(slot)
			}
			q.r.gather(&l.worker)
			continue
		case errSealed:
			return 0, q.drained(l)
		}
		return word, err
	}
	return 0, ErrEmpty
}

// drained returns io.EOF, or ErrEmpty while a message may come back: because
// some consumer has it leased, or died with it. The seal at the lane's head is
// looked at again after the lanes: while it is there, nothing has come back
// and nothing could be leased, so lanes seen without a lease have none.
func (q *Queue) drained(l *lane) error {
	for k := range q.r.lanes {
		switch record(q.r.laneWord(k, laneRecord).Load()).op() {
		case opLease, opRequeue, opHold:
			return ErrEmpty
		}
	}
	word := slotWord(q.r.slot(l.head.index).Load())
	if word.ahead(l.head.lap) != 0 || word.kind() != kindSealed {
		return ErrEmpty
	}
	return io.EOF
}

// GetBatch removes up to max messages, out of at most Cap entries, and returns them in
// order. It waits for the first; it does not wait for more. Errors are those of Get;
// only with ErrCorrupt may it return messages too.
func (q *Queue) GetBatch(ctx context.Context, max int) ([][]byte, error) {
	var b Batch
	err := q.GetBatchInto(ctx, &b, max)
	return b.msgs, err
}

// A Batch is memory for GetBatchInto to use again and again. The zero value is
// ready; one goroutine at a time may use it.
type Batch struct {
	data []byte
	ends []int
	msgs [][]byte
}

// Messages returns the messages of the last GetBatchInto, good until the next.
func (b *Batch) Messages() [][]byte { return b.msgs }

// GetBatchInto is GetBatch that stores the messages in b, which grows as needed.
func (q *Queue) GetBatchInto(ctx context.Context, b *Batch, max int) error {
	b.data, b.ends, b.msgs = b.data[:0], b.ends[:0], b.msgs[:0]
	if max <= 0 {
		return nil
	}
	if err := ended(ctx); err != nil {
		return wrap("get from", q.name, err)
	}
	err := q.tryGetBatch(b, max, true)
	if waitable(err) {
		err = q.await(ctx, &q.get, func(spin bool) error { return q.tryGetBatch(b, max, spin) })
	}
	if err != nil {
		return getError(q.name, err)
	}
	return nil
}

// tryGetBatch returns nil if it got any.
func (q *Queue) tryGetBatch(b *Batch, max int, spin bool) error {
	l, err := q.acquire()
	if err != nil {
		return err
	}
	err = q.getBatchOn(l, b, max, spin)
	if len(b.ends) > 0 && (waitable(err) || err == io.EOF || err == ErrRemoved) {
		err = nil // the next call says it
	}
	b.slice()
	return err
}

// slice makes the messages out of the bytes and their ends.
func (b *Batch) slice() {
	n := len(b.ends)
	for n > 0 && b.ends[n-1] > len(b.data) {
		n-- // a message that a fault cut off
	}
	b.msgs = slices.Grow(b.msgs, n)[:n]
	from := 0
	for i, to := range b.ends[:n] {
		b.msgs[i] = b.data[from:to:to]
		from = to
	}
}

// getBatchOn gets messages until there are max or no more, and releases l. Those
// messages count as in the hands of this process until all are there. It ends after
// a lap, however fast they come.
func (q *Queue) getBatchOn(l *lane, b *Batch, max int, spin bool) (err error) {
	l.begin(spin)
	defer l.end(&err)
	for n := uint32(0); n < q.r.capacity && len(b.ends) < max && err == nil; n++ {
		err = q.getSomeOn(l, b, max-len(b.ends), spin && len(b.ends) == 0)
	}
	if len(b.ends) > 0 {
		q.holdOn(l, 0)
		q.attend(l)
	}
	l.ok = true
	return err
}

// holdOn announces how many messages of a batch are in hand: an upper bound of
// what is lost if this process dies now.
func (q *Queue) holdOn(l *lane, n int) {
	q.r.at(stepInHand)
	q.r.laneWord32(l.id, laneInHand).Store(uint32(n))
}

// getSomeOn gets the messages of one entry, at most max.
func (q *Queue) getSomeOn(l *lane, b *Batch, max int, spin bool) error {
	for range maxRetries {
		word, err := q.headOn(l, spin)
		if err != nil {
			return err
		}
		if word.kind() == kindMany {
			data, n, err := q.unpackOn(l, word, b.data, b, max)
			if n == 0 && err == nil {
				continue
			}
			if err == nil {
				b.data = data
			}
			return err
		}
		if !q.r.takeAt(&l.worker, word, opTake) {
			continue
		}
		data, ok := q.r.appendMessage(b.data, l.own, 0)
		if !ok {
			return ErrCorrupt
		}
		b.data, b.ends = data, append(b.ends, len(data))
		q.holdOn(l, len(b.ends))
		q.finishTake(l, word)
		return nil
	}
	return ErrEmpty
}

// unpackOn takes up to max messages of the packed entry that word showed at the
// head and appends them to buf, their ends to b if it is not nil. It returns
// 0 messages and no error if another consumer was faster.
//
// If messages remain, it copies first and then takes by moving the slot's
// next: the block stays in the ring, strict order holds message by message,
// and no consumer hoards a block. Who takes the last ones takes the block.
func (q *Queue) unpackOn(l *lane, word slotWord, buf []byte, b *Batch, max int) ([]byte, int, error) {
	p, ok := q.r.packed(word.block())
	left := int(p.count) - int(word.next())
	if !ok || left <= 0 {
		return nil, 0, q.changed(l, word)
	}
	before := b.len()
	if n := min(left, max); n < left {
		q.holdOn(l, before+n)
		msgs, ok := q.copyPacked(buf, p, word.next(), n, b)
		if !ok || !q.r.advance(&l.worker, word, uint32(n)) {
			q.holdOn(l, before)
			b.forget(n, ok)
			if !ok {
				return nil, 0, q.changed(l, word)
			}
			return nil, 0, nil
		}
		q.wakeOne(offNotEmpty) // one entry woke one sleeper, and messages remain
		if b == nil {
			q.holdOn(l, 0)
		}
		return msgs, n, nil
	}
	if !q.r.takeAt(&l.worker, word, opTake) {
		return nil, 0, nil
	}
	msgs, ok := q.copyPacked(buf, p, word.next(), left, b)
	if !ok {
		return nil, 0, ErrCorrupt
	}
	if b != nil {
		q.holdOn(l, before+left)
	}
	q.finishTake(l, word)
	return msgs, left, nil
}

// len is how many messages are in the batch; 0 without one.
func (b *Batch) len() int {
	if b == nil {
		return 0
	}
	return len(b.ends)
}

// forget drops the last n ends, if they were added.
func (b *Batch) forget(n int, added bool) {
	if b != nil && added {
		b.ends = b.ends[:len(b.ends)-n]
	}
}

// copyPacked appends n messages from next on, all with one copy, and their ends
// to b if it is not nil; false leaves b as it was.
func (q *Queue) copyPacked(buf []byte, p packed, next uint32, n int, b *Batch) ([]byte, bool) {
	if b == nil {
		m, ok := p.message(next)
		return appendBytes(buf, m), ok
	}
	ends, ok := p.ends(b.ends, next, n, len(buf))
	if !ok {
		return nil, false
	}
	m, ok := p.messages(next, ends[len(ends)-1]-len(buf))
	if !ok {
		return nil, false
	}
	b.ends = ends
	return appendBytes(buf, m), true
}

// changed is called when an entry read without owning it made no sense: nil
// if the slot has changed since, ErrCorrupt if it has not.
func (q *Queue) changed(l *lane, word slotWord) error {
	loadsDone()
	if slotWord(q.r.slot(l.head.index).Load()) != word {
		return nil
	}
	return ErrCorrupt
}
