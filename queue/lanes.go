package queue

import (
	"context"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

// How a handle gets and shares its lanes.
//
//	free in the file ──join──▶ idle ──lane()──▶ in use ──release()──▶ idle ──leave──▶ free in the file
//	                                     └──▶ leased until Ack or Nack ──┘
//
// A joined lane is locked in the kernel for as long as it is joined. The first
// one, the fast lane, is never leased, so that Put and Get always find one; to
// have it takes no more than its busy flag.

// maxOps is how many lanes a handle joins for operations that are not leases.
const maxOps = 4

// A lane is joined to this handle. One goroutine at a time has it.
type lane struct {
	worker
	q      *Queue
	busy   atomic.Uint32 // of the handle's fast lane: somebody uses it
	faults bool          // what debug.SetPanicOnFault was before begin
	ok     bool          // the operation came to its end without a panic
	keep   bool          // the operation's end does not give the lane back
	leased bool          // counted in pool.leased
	lease  uint32        // generation: advances when a lease on the lane begins or ends
	next   uint32        // the leased message of a packed entry
	puts   uint32        // since it was joined, for sampling
	seen   glance        // of the handle's clock, for leases and for attend
	light  bool          // of the fast lane: it is given back the light way
}

// pool is the part of a handle that owns its lanes. Its mutex guards all but
// the atomic fields.
type pool struct {
	idle    []*lane
	unused  int     // of them were not needed since leaveUnused
	kept    []*lane // leased, waiting for the next Lease of this handle
	open    int     // lanes joined
	leased  int     // of them leased
	pins    int     // uses of the memory without a lane
	waiters []waiter
}

// A waiter waits for a lane.
type waiter struct {
	wake  chan struct{}
	lease bool // the fast lane is of no use to it
}

// acquire returns a lane for one operation, nearly always the fast one.
func (q *Queue) acquire() (*lane, error) {
	if q.fast.busy.CompareAndSwap(0, 1) {
		return q.fast, nil
	}
	return q.lane(context.Background(), false)
}

// lane returns a lane for one operation or lease. It waits while all are in
// use. The caller gives it back with release.
func (q *Queue) lane(ctx context.Context, lease bool) (*lane, error) {
	for {
		l, wait, err := q.laneOrWait(lease)
		if l != nil || err != nil {
			return l, err
		}
		if err := q.waitLane(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// waitLane waits for wait, which laneOrWait returned. Lanes of other processes come
// free without a word: it returns now and then, to look again.
func (q *Queue) waitLane(ctx context.Context, wait chan struct{}) error {
	if err := ctx.Err(); err != nil {
		q.unwait(wait)
		return err
	}
	t := time.NewTimer(maxSleep)
	defer t.Stop()
	select {
	case <-wait:
	case <-t.C:
		q.unwait(wait)
	case <-ctx.Done():
		q.unwait(wait)
		return ctx.Err()
	}
	return nil
}

// laneFreed waits until there may be a lane for a lease, or a kept message, which
// has its lane.
func (q *Queue) laneFreed(ctx context.Context) error {
	l, wait, err := q.laneOrWait(true)
	switch {
	case err != nil:
		return err
	case l != nil:
		q.release(l)
		return nil
	case q.nkept.Load() > 0: // a keep that did not see us waiting
		q.unwait(wait)
		return nil
	}
	return q.waitLane(ctx, wait)
}

// leaseLaneNow returns a lane for a lease, or ErrBusy if it would have to wait.
func (q *Queue) leaseLaneNow() (*lane, error) {
	if l := q.takeSpare(); l != nil {
		return l, nil
	}
	l, wait, err := q.laneOrWait(true)
	if wait != nil {
		q.unwait(wait)
		err = ErrBusy
	}
	return l, err
}

// laneOrWait returns a lane, or a channel that is closed when one may be idle.
func (q *Queue) laneOrWait(lease bool) (*lane, chan struct{}, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.usable(); err != nil {
		return nil, nil, err
	}
	if l := q.pick(lease); l != nil {
		q.passOn()
		return l, nil, nil
	}
	if lease || q.pool.open-q.pool.leased < maxOps {
		l, err := q.join()
		if err == nil {
			q.joined(l)
			q.pool.idle = append(q.pool.idle, l)
			if l := q.pick(lease); l != nil {
				return l, nil, nil
			}
		} else if err != ErrBusy {
			return nil, nil, err
		}
	}
	wait := make(chan struct{})
	q.pool.waiters = append(q.pool.waiters, waiter{wait, lease})
	q.want()
	if l := q.pick(lease); l != nil {
		q.pool.waiters = q.pool.waiters[:len(q.pool.waiters)-1]
		q.wanted.Add(-1)
		return l, nil, nil
	}
	return nil, wait, nil
}

// joined and left keep count of the lanes; mu is held.
func (q *Queue) joined(l *lane) { q.pool.open++; q.lanes[l.id] = l }
func (q *Queue) left(l *lane)   { q.pool.open--; q.lanes[l.id] = nil }

// begin makes faults in the queue's memory panics for the goroutine that uses l,
// until end, which it defers. It sets ok when nothing can fault any more. patient is
// false for an operation that never waits.
func (l *lane) begin(patient bool) {
	l.ok, l.keep, l.patient = false, false, patient
	l.faults = debug.SetPanicOnFault(true)
}

// end ends an operation: it does what guard does, and gives the lane back if it is
// not to be kept. Not to ask the runtime for a panic if there was none is worth a few
// nanoseconds.
func (l *lane) end(err *error) {
	debug.SetPanicOnFault(l.faults)
	if !l.ok {
		l.caught(recover(), err)
	}
	if *err != nil && *err == ErrCorrupt {
		l.q.broken.Store(true)
	}
	if !l.keep {
		l.q.release(l)
	}
}

// caught makes an error of what recover returned. A panic that is not the queue's goes
// on, without the lane.
func (l *lane) caught(p any, err *error) {
	if p == nil {
		return
	}
	if !l.q.faulted(p) {
		l.abandon()
	}
	*err = l.q.fault(p)
}

// abandon gives the lane back from the middle of an operation, where the caller's own
// memory was not what it promised, in the order in which a reaper leaves it.
func (l *lane) abandon() {
	var err error
	func() {
		defer l.q.guard(debug.SetPanicOnFault(true), &err)
		var w *worker
		if w, err = l.q.r.reap(l.id, l.q.bury); err == nil {
			l.worker = *w
		}
	}()
	l.q.release(l)
}

// takeSpare takes the lane that is kept for the next lease, if there is one.
func (q *Queue) takeSpare() *lane {
	if k := q.spareLease.Swap(0); k != 0 {
		return q.lanes[k-1]
	}
	return nil
}

// pick takes an idle lane if there is one that may be used so; mu is held.
func (q *Queue) pick(lease bool) *lane {
	if lease {
		if l := q.takeSpare(); l != nil {
			return l
		}
		if q.pool.open-q.pool.leased < 2 {
			return nil
		}
	}
	if !lease && q.fast.busy.CompareAndSwap(0, 1) {
		return q.fast
	}
	var l *lane
	if n := len(q.pool.idle); n > 0 {
		l = q.pool.idle[n-1]
		q.pool.idle = q.pool.idle[:n-1]
		q.pool.unused = min(q.pool.unused, n-1)
	} else {
		l = q.takeSpare()
	}
	if l != nil {
		q.setLeased(l, lease)
	}
	return l
}

// setLeased counts l as leased, or not; mu is held.
func (q *Queue) setLeased(l *lane, leased bool) {
	switch {
	case leased && !l.leased:
		q.pool.leased++
	case !leased && l.leased:
		q.pool.leased--
	}
	l.leased = leased
}

func (q *Queue) unwait(wait chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, c := range q.pool.waiters {
		if c.wake == wait {
			q.dropWaiter(i)
			return
		}
	}
	q.wakeWaiter() // it was woken and does not take what it was woken for
	q.wakeOperation()
}

// dropWaiter forgets waiter i; mu is held.
func (q *Queue) dropWaiter(i int) {
	q.pool.waiters = slices.Delete(q.pool.waiters, i, i+1)
	q.wanted.Add(-1)
}

// wakeWaiter wakes the first that waits for a lane, for an idle one; mu is held.
func (q *Queue) wakeWaiter() {
	if len(q.pool.waiters) > 0 {
		close(q.pool.waiters[0].wake)
		q.dropWaiter(0)
	}
}

// wakeOperation wakes the first that can do with the fast lane; mu is held.
func (q *Queue) wakeOperation() {
	for i, w := range q.pool.waiters {
		if !w.lease {
			close(w.wake)
			q.dropWaiter(i)
			return
		}
	}
}

// passOn wakes the next waiter if there are idle lanes still: who was woken for one has
// taken another; mu is held.
func (q *Queue) passOn() {
	if len(q.pool.idle) > 0 {
		q.wakeWaiter()
	}
}

// release gives a lane back.
func (q *Queue) release(l *lane) {
	if l == q.fast {
		q.releaseFast(l)
		return
	}
	if l.leased && q.spareLease.CompareAndSwap(0, 1+l.id) {
		if q.wanted.Load() == 0 {
			return
		}
		l = q.takeSpare()
	}
	q.releaseSlow(l)
}

// want announces that somebody waits for lanes: a release that does not see it has made
// its lane free for whoever looks afterwards.
func (q *Queue) want() {
	q.wanted.Add(1)
	if canBarrier && q.light.on.Load() {
		barrier()
	}
}

// releaseFast gives the fast lane l back.
func (q *Queue) releaseFast(l *lane) {
	if canBarrier && l.light {
		storeLater(&l.busy, 0) // perhaps after the load of wanted: see want
	} else {
		l.busy.Store(0)
	}
	if q.wanted.Load() != 0 {
		q.releaseSlow(l)
	}
}

// releaseSlow gives lane l back, and tells those who wait for one. The fast lane is free
// already; l is nil if somebody has taken it meanwhile.
func (q *Queue) releaseSlow(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch l {
	case nil:
		q.passOn()
	case q.fast:
		q.wakeOperation()
	default:
		q.setLeased(l, false)
		q.pool.idle = append(q.pool.idle, l)
		q.wakeWaiter()
	}
	if q.closed.Load() {
		q.leaveAll()
	}
}

// leaveAll ends the idle lanes of a closed handle, and the handle's memory with
// the last one; mu is held. Lanes in use come here by their release. The fast
// lane stays busy for ever.
func (q *Queue) leaveAll() {
	if q.fast.busy.CompareAndSwap(0, 1) {
		q.pool.idle = append(q.pool.idle, q.fast)
	}
	if l := q.takeSpare(); l != nil {
		q.setLeased(l, false)
		q.pool.idle = append(q.pool.idle, l)
	}
	for _, l := range q.pool.idle {
		q.leave(l.id)
		q.left(l)
	}
	q.pool.idle, q.pool.unused = nil, 0
	q.leaveKept()
	q.unmap()
}

// leaveUnused ends the idle lanes that nobody has needed since the last time: after
// many leases at once, a handle comes back to the fast lane and one more.
func (q *Queue) leaveUnused() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.pool.idle[:q.pool.unused] {
		q.leave(l.id)
		q.left(l)
	}
	q.pool.idle = slices.Delete(q.pool.idle, 0, q.pool.unused)
	q.pool.unused = len(q.pool.idle)
}

// unmap gives the memory of a closed handle back when nobody uses it any more, and
// the handle on the dead-letter queue, which a lease may need until then; mu is held.
func (q *Queue) unmap() {
	if q.pool.open == 0 && q.pool.pins == 0 && !q.gone {
		q.gone = true
		q.os.Close()
		q.dead.close()
	}
}

// pin keeps the memory for a use without a lane, until unpin.
func (q *Queue) pin() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.usable(); err != nil {
		return err
	}
	q.pool.pins++
	return nil
}

func (q *Queue) unpin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pool.pins--
	if q.closed.Load() {
		q.unmap()
	}
}

// join locks a free lane in the kernel and puts it in order, which is also how
// the lanes of the dead are cleaned up: a lane whose owner died looks free.
// It returns ErrBusy if there is none.
func (q *Queue) join() (l *lane, err error) {
	defer q.guard(debug.SetPanicOnFault(true), &err)
	q.reaping.Lock()
	defer q.reaping.Unlock()
	for k := range q.r.lanes {
		if held, err := q.os.Held(int(k)); err != nil {
			return nil, err
		} else if held {
			continue // where locks are files, trying in vain takes long
		}
		if ok, err := q.os.TryLock(int(k)); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		q.r.at(stepJoin)
		w, err := q.r.reap(k, q.bury)
		if err != nil {
			q.os.Unlock(int(k))
			if err == ErrFull {
				continue // its message has to go back first
			}
			return nil, err
		}
		q.r.laneWord(k, laneHolder).Store(uint64(os.Getpid()))
		q.wakeOne(offNotEmpty) // what a dead consumer had may be back
		q.wakeOne(offNotFull)
		return &lane{worker: *w, q: q}, nil
	}
	return nil, ErrBusy
}

// leave unlocks lane k, whose record is in order.
func (q *Queue) leave(k uint32) {
	if !q.broken.Load() {
		var err error
		func() {
			defer q.guard(debug.SetPanicOnFault(true), &err)
			q.r.at(stepJoin)
			q.r.laneWord(k, laneHolder).Store(0)
		}()
	}
	q.os.Unlock(int(k))
}

// reapDead looks for lanes whose owners died and cleans up after them: their
// leased messages go back to the queue. It runs before this handle sleeps and
// every maxSleep while it does.
func (q *Queue) reapDead() (err error) {
	defer q.guard(debug.SetPanicOnFault(true), &err)
	q.reaping.Lock()
	defer q.reaping.Unlock()
	for k := range q.r.lanes {
		if q.r.laneWord(k, laneHolder).Load() == 0 {
			continue
		}
		if held, err := q.os.Held(int(k)); err != nil || held {
			continue
		}
		if ok, err := q.os.TryLock(int(k)); err != nil || !ok {
			continue // ours, or somebody else was faster
		}
		q.r.at(stepJoin)
		_, err := q.r.reap(k, q.bury)
		if err == nil {
			q.r.laneWord(k, laneHolder).Store(0)
		}
		q.os.Unlock(int(k))
		if err == nil {
			q.wakeOne(offNotEmpty)
			q.wakeOne(offNotFull)
		} else if err == ErrCorrupt {
			return err
		}
	}
	return nil
}
