package queue

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
)

// Who begins to wait for a lane at the very moment at which one is given back either gets
// it or is woken, however the handle gives it back.
func TestReleaseMeetsWaiter(t *testing.T) {
	for _, how := range []string{"exchange", "light"} {
		t.Run(how, func(t *testing.T) {
			is := is.New(t)
			q := opened(t)(Anonymous(&Options{Capacity: 4, MaxMessage: 8, Lanes: 1}))
			if how == "light" {
				becomeLight(t, q)
			}
			rounds := int32(500_000)
			if testing.Short() {
				rounds = 20_000
			}
			met, err := meetReleases(q, rounds)
			is.NoErr(err)
			t.Logf("%d of %d waited", met, rounds)
		})
	}
}

// meetReleases has one goroutine give the fast lane of q back while this one begins to wait
// for a lane, and reports how often that one waited. q has no other lane.
func meetReleases(q *Queue, rounds int32) (met int, err error) {
	var start, done atomic.Int32
	go func() {
		for r := int32(1); r <= rounds; r++ {
			for start.Load() != r {
				runtime.Gosched()
			}
			pause(r % 4096) // as long as laneOrWait looks for another lane
			q.releaseFast(q.fast)
			done.Store(r)
		}
	}()
	for r := int32(1); r <= rounds; r++ {
		if !q.fast.busy.CompareAndSwap(0, 1) {
			return met, fmt.Errorf("round %d: the lane is in use", r)
		}
		start.Store(r)
		l, wait, err := q.laneOrWait(false)
		if err != nil {
			return met, err
		}
		for done.Load() != r {
			runtime.Gosched()
		}
		if l != nil {
			q.release(l)
			continue
		}
		met++
		select {
		case <-wait:
		default:
			return met, fmt.Errorf("round %d: the lane is free, and who waits for it does not know", r)
		}
	}
	return met, nil
}

// becomeLight makes q give its fast lane back the light way, as use for a while does.
func becomeLight(t *testing.T, q *Queue) {
	if !prepareBarrier() {
		t.Skip("the kernel has no barriers for processes")
	}
	for ctx := patient(t); !q.fast.light; runtime.Gosched() {
		if ctx.Err() != nil {
			t.Fatal("no answer of the kernel")
		}
		q.fast.light = q.light.prepared(lightAfter)
	}
}

func pause(n int32) {
	var private atomic.Uint32
	for range n {
		private.Load()
	}
}

// A handle in use becomes light by itself, and one that is new does not.
func TestBecomesLight(t *testing.T) {
	is := is.New(t)
	if !prepareBarrier() {
		t.Skip("no barriers for processes")
	}
	q := opened(t)(Anonymous(&Options{Capacity: 64, MaxMessage: 8}))
	use := func() {
		for range sampling {
			is.NoErr(q.TryPut([]byte("x")))
			_, err := q.TryGet()
			is.NoErr(err)
		}
	}
	use()
	is.True(!q.fast.light || q.clock.since() >= lightAfter)
	for ctx := patient(t); !q.fast.light; use() {
		is.NoErr(ctx.Err())
	}
	is.True(q.clock.since() >= lightAfter)
	use() // and goes on
	is.NoErr(q.Close())
	is.True(q.gone) // the memory was given back
}
