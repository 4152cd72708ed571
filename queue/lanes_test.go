package queue

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/matryer/is"
)

// asked is a context that says how often somebody asked for its end: once
// before an operation tries, and again before it waits.
type asked struct {
	context.Context
	times chan struct{}
}

func newAsked(ctx context.Context) asked { return asked{ctx, make(chan struct{}, 100)} }

func (a asked) Done() <-chan struct{} {
	a.times <- struct{}{}
	return a.Context.Done()
}

// waitsForLane returns when an operation of q waits for a lane.
func waitsForLane(q *Queue) {
	for q.wanted.Load() == 0 {
		runtime.Gosched()
	}
}

type leased struct {
	m   *Lease
	err error
}

// A Lease that waits for a lane keeps no Get of the same handle from its message.
func TestLeaseWithoutLaneBlocksNobody(t *testing.T) {
	eachForm(t, &Options{Capacity: 4, MaxMessage: 10, Lanes: 8}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q := open()
		lease := make(chan leased, 1)
		go func() { m, err := q.Lease(ctx); lease <- leased{m, err} }()
		for q.Stats().Waits == 0 { // until it sleeps, for want of a message
			runtime.Gosched()
		}
		var taken []*Reservation
		for q.wanted.Load() == 0 { // until it looks again, and finds no lane
			if l, err := q.leaseLaneNow(); err == nil {
				taken = append(taken, &Reservation{q: q, l: l})
			}
			runtime.Gosched()
		}
		get := newAsked(ctx)
		got := make(chan error, 1)
		go func() { _, err := q.Get(get); got <- err }()
		for range 2 { // it waits, too
			<-get.times
		}
		is.NoErr(q.Put(ctx, []byte("for Get")))
		is.NoErr(<-got)

		for _, r := range taken {
			r.Abort()
		}
		is.NoErr(q.Put(ctx, []byte("for Lease")))
		l := <-lease
		is.NoErr(l.err)
		is.Equal(string(l.m.Bytes()), "for Lease")
		is.NoErr(l.m.Ack())
	})
}

// The rest of a packed entry has a lane already: a Lease that waits for one gets it.
func TestLeaseWithoutLaneGetsTheRest(t *testing.T) {
	eachForm(t, &Options{Capacity: 4, MaxMessage: 10, Lanes: 8}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q := open()
		_, err := q.PutBatch(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("c")})
		is.NoErr(err)
		first, err := q.Lease(ctx)
		is.NoErr(err)
		for l, err := q.leaseLaneNow(); err == nil; l, err = q.leaseLaneNow() {
			defer q.release(l)
		}
		lease := make(chan leased, 1)
		next := func() { m, err := q.Lease(ctx); lease <- leased{m, err} }
		go next()
		waitsForLane(q)
		is.NoErr(first.Ack())
		l := <-lease
		is.NoErr(l.err)
		is.Equal(string(l.m.Bytes()), "b")
		go next()
		waitsForLane(q)
		is.NoErr(l.m.Nack()) // the queue has room for it
		is.NoErr(q.Put(ctx, []byte("d")))
		l = <-lease
		is.NoErr(l.err)
		is.Equal(string(l.m.Bytes()), "b")
		is.NoErr(l.m.Nack())
	})
}

// A handle keeps lanes that it had for many leases only while it needs them: others
// can open the queue when it has had nothing to do for a while.
func TestUnusedLanesComeFree(t *testing.T) {
	is := is.New(t)
	ctx := patient(t)
	name := uniqueName(t)
	q, err := Create(name, &Options{Capacity: 8, MaxMessage: 8, Lanes: 8})
	is.NoErr(err)
	defer Remove(name)
	defer q.Close()
	var leases []*Lease
	for range 7 {
		is.NoErr(q.Put(ctx, []byte("m")))
		m, err := q.Lease(ctx)
		is.NoErr(err)
		leases = append(leases, m)
	}
	_, err = Open(name, nil)
	is.True(errors.Is(err, ErrBusy))
	for _, m := range leases {
		is.NoErr(m.Ack())
	}
	got := make(chan error, 1)
	go func() { _, err := q.Get(ctx); got <- err }() // it waits
	for range 6 {                                    // all but the two that it keeps
		other, err := Open(name, nil)
		for ; errors.Is(err, ErrBusy) && ctx.Err() == nil; other, err = Open(name, nil) {
			runtime.Gosched()
		}
		is.NoErr(err)
		defer other.Close()
	}
	_, err = Open(name, nil)
	is.True(errors.Is(err, ErrBusy))
	is.NoErr(q.Put(ctx, []byte("m")))
	is.NoErr(<-got)
}

// Who waits for a lane and leaves after it was woken wakes the next one, and an Ack
// that keeps the rest of an entry wakes all.
func TestLaneWakeUpsAreNotLost(t *testing.T) {
	is := is.New(t)
	ctx := patient(t)
	h, err := newHeap(&Options{Capacity: 4, MaxMessage: 10, Lanes: 4})
	is.NoErr(err)
	q, _, err := h.open()
	is.NoErr(err)
	defer q.Close()
	_, err = q.PutBatch(ctx, [][]byte{[]byte("a"), []byte("b")})
	is.NoErr(err)
	m, err := q.Lease(ctx)
	is.NoErr(err)
	var taken []*lane
	for l, err := q.leaseLaneNow(); err == nil; l, err = q.leaseLaneNow() {
		taken = append(taken, l)
	}
	wait := func() chan struct{} {
		l, wait, err := q.laneOrWait(true)
		is.NoErr(err)
		is.Equal(l, nil)
		return wait
	}
	woken := func(c chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-ctx.Done():
			t.Fatal("nobody woke the waiter")
		}
	}
	first, second := wait(), wait()
	q.release(taken[0])
	woken(first)
	q.unwait(first)
	woken(second)
	taken[0] = q.takeSpare()
	if taken[0] == nil { // the wake-up made it an idle one
		taken[0], err = q.leaseLaneNow()
		is.NoErr(err)
	}
	first, second = wait(), wait()
	is.NoErr(m.Ack())
	woken(first)
	woken(second)
	for _, l := range taken {
		q.release(l)
	}
}

// Each lane that comes free wakes somebody who can use it: the fast lane no lease, which
// cannot have it, and who was woken for one lane and takes another passes it on.
func TestLaneWakesWhoCanUseIt(t *testing.T) {
	is := is.New(t)
	q := opened(t)(Anonymous(&Options{Capacity: 4, MaxMessage: 8, Lanes: 2}))
	other, err := q.leaseLaneNow()
	is.NoErr(err)
	wait := func(lease bool) chan struct{} {
		l, wait, err := q.laneOrWait(lease)
		is.NoErr(err)
		is.Equal(l, nil)
		return wait
	}
	woken := func(c chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}

	is.True(q.fast.busy.CompareAndSwap(0, 1))
	lease, operation := wait(true), wait(false)
	q.release(q.fast)
	is.True(woken(operation)) // though it came later
	is.True(!woken(lease))
	q.unwait(lease)

	is.True(q.fast.busy.CompareAndSwap(0, 1))
	operation, lease = wait(false), wait(true)
	q.release(other)
	is.True(woken(operation))
	is.True(!woken(lease))
	q.release(q.fast)
	l, _, err := q.laneOrWait(false)
	is.NoErr(err)
	is.Equal(l, q.fast)
	is.True(woken(lease)) // for the other one
	q.release(l)
	is.Equal(q.wanted.Load(), int32(0))
}
