package queue

import (
	"bytes"
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm/shmsync"
	"github.com/matryer/is"
)

// sleeps returns when handle q has slept more often than before.
func sleeps(ctx context.Context, is *is.I, q *Queue, before uint64) {
	for q.Stats().Waits <= before {
		is.NoErr(ctx.Err())
		runtime.Gosched()
	}
}

// A Put that waits for the memory of long messages keeps no other of its handle from the
// space that there is.
func TestShortPutBehindLongOne(t *testing.T) {
	eachForm(t, &Options{Capacity: 2, MaxMessage: 8000, EntrySize: 1024, Memory: 100 << 10}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q, other := open(), open()
		long := bytes.Repeat([]byte("long"), 2000)
		var leases []*Lease
		for q.TryPut(long) == nil { // until its memory is used up
			m, err := other.Lease(ctx)
			is.NoErr(err)
			leases = append(leases, m)
		}
		put := make(chan error, 2)
		go func() { put <- q.Put(ctx, long) }()
		sleeps(ctx, is, q, 0)
		for other.TryPut([]byte("short")) == nil {
		}
		behind := newAsked(ctx)
		done := make(chan error, 1)
		go func() { done <- q.Put(behind, []byte("behind")) }()
		for range 2 { // it waits, too
			<-behind.times
		}
		for range 2 {
			_, err := other.Get(ctx)
			is.NoErr(err)
		}
		is.NoErr(<-done)
		is.Equal(len(put), 0) // that one waits still
		for _, m := range leases {
			is.NoErr(m.Ack())
		}
		is.NoErr(<-put)
	})
}

// A Get that waits keeps no Lease of its handle from the rest of a packed entry, which
// only a Lease gets.
func TestLeaseBehindGet(t *testing.T) {
	eachForm(t, &Options{Capacity: 4, MaxMessage: 10}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q := open()
		_, err := q.PutBatch(ctx, [][]byte{[]byte("a"), []byte("b")})
		is.NoErr(err)
		a, err := q.Lease(ctx)
		is.NoErr(err)
		got := make(chan error, 1)
		go func() { _, err := q.Get(ctx); got <- err }()
		sleeps(ctx, is, q, 0)
		behind := newAsked(ctx)
		lease := make(chan leased, 1)
		go func() { m, err := q.Lease(behind); lease <- leased{m, err} }()
		for range 2 { // it waits, too
			<-behind.times
		}
		is.NoErr(a.Ack())
		b := <-lease
		is.NoErr(b.err)
		is.Equal(string(b.m.Bytes()), "b")
		is.NoErr(b.m.Ack())
		is.NoErr(q.Put(ctx, []byte("c")))
		is.NoErr(<-got)
	})
}

// sleeper is a heap's backing that sleeps until it is woken, and then calls woken.
type sleeper struct {
	*heapBacking
	woken func()
}

func (s sleeper) Wait(ctx context.Context, w *atomic.Uint32, old uint32, _ time.Duration) error {
	err := s.heapBacking.Wait(ctx, w, old, 0)
	s.woken()
	return err
}

// A handle that is woken for a message and cannot take it, because it is closed or has no
// lane for a lease, wakes the next.
func TestWokenInVainWakesTheNext(t *testing.T) {
	for what, c := range map[string]struct {
		wait func(ctx context.Context, q *Queue) error
		bar  func(q *Queue) // the way of q to the message
	}{
		"closed":  {func(ctx context.Context, q *Queue) error { _, err := q.Get(ctx); return err }, func(q *Queue) { q.Close() }},
		"no lane": {func(ctx context.Context, q *Queue) error { _, err := q.Lease(ctx); return err }, func(q *Queue) { q.takeSpare() }},
	} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			ctx := patient(t)
			h, err := newHeap(&Options{Capacity: 4, MaxMessage: 8, Lanes: 4})
			is.NoErr(err)
			open := func(woken func(q *Queue)) (q *Queue) {
				q = opened(t)(newQueue("heap", sleeper{&heapBacking{shmsync.NewWaitSet(), h}, func() { woken(q) }}))
				return q
			}
			first := open(c.bar)
			second, producer := open(func(*Queue) {}), open(func(*Queue) {})
			ended, cancel := context.WithCancel(ctx)
			failed := make(chan error, 1)
			go func() { failed <- c.wait(ended, first) }()
			sleeps(ctx, is, producer, 0)
			got := make(chan error, 1)
			go func() { _, err := second.Get(ctx); got <- err }()
			sleeps(ctx, is, producer, 1)
			is.NoErr(producer.Put(ctx, []byte("m")))
			is.NoErr(<-got)
			is.NoErr(ctx.Err()) // not for its end
			cancel()
			is.True(<-failed != nil)
		})
	}
}
