package queue

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

// A clock that was wrong for a second, because somebody set the time of day, is
// right again; what it measures is not touched by that.
func TestClockFollowsTheTimeOfDay(t *testing.T) {
	is := is.New(t)
	var c clock
	c.start()
	is.True(near(c.now()))
	c.day.Add(-int64(time.Hour))
	is.True(!near(c.now())) // the cheap way: it does not look each time
	passed := c.since()
	c.looked.Store(int64(passed - 2*time.Second))
	is.True(near(c.now()))
	is.True(c.since() >= passed)
}

func near(ns int64) bool { return time.Since(time.Unix(0, ns)).Abs() < 10*time.Minute }

// What a lease says of its beginning is never much older than it, nor younger.
func TestSinceWhen(t *testing.T) {
	is := is.New(t)
	const slack = 10 * time.Millisecond // of the counter, and of the time of day beside the monotonic clock
	q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8})
	is.NoErr(q.Put(t.Context(), []byte("again")))
	for range 3 {
		for began := time.Now(); time.Since(began) < 3*slack; { // long after the one before
		}
		before := time.Now()
		m, err := q.TryLease()
		is.NoErr(err)
		since := q.Stats().Holders[m.l.id].Since
		is.True(since.Sub(before) > -slack)
		is.True(time.Since(since) > -slack)
		is.NoErr(m.Nack())
	}
}

// A glance looks at the clock again once the counter says that it is time, or has gone back.
func TestGlance(t *testing.T) {
	is := is.New(t)
	var c clock
	c.start()
	var g glance
	now := func() int64 { ns, _ := g.now(&c); return ns }
	first := now()
	for _, aside := range []uint64{freshTicks, ^uint64(1 << 40)} { // a while ago, and in the future
		g.tick = ticks() - aside
		g.time = 1
		is.True(now() >= first)
	}
	if hasTicks {
		g.tick, g.time = ticks(), 1
		for now() != 1 { // the processor was taken away between the two
			g.tick, g.time = ticks(), 1
		}
	}
}
