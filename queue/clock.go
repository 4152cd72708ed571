package queue

import (
	"sync/atomic"
	"time"
)

// clock tells the time of day for half of what time.Now costs: it reads the
// monotonic clock alone and adds it to a time of day that it looks up every second.
type clock struct {
	zero   time.Time    // with a reading of the monotonic clock
	day    atomic.Int64 // the time of day at zero, nanoseconds since 1970
	looked atomic.Int64 // when it was looked up, nanoseconds since zero
}

func (c *clock) start() {
	c.zero = time.Now()
	c.day.Store(c.zero.UnixNano())
}

// since returns the time that passed since start, whatever becomes of the time of day.
func (c *clock) since() time.Duration { return time.Since(c.zero) }

// now returns nanoseconds since 1970.
func (c *clock) now() int64 {
	t := int64(c.since())
	if t-c.looked.Load() > int64(time.Second) {
		c.day.Store(time.Now().UnixNano() - t)
		c.looked.Store(t)
	}
	return c.day.Load() + t
}

// A glance is what one user of a clock saw there last. To read a clock takes a fifth of
// what Lease takes; to read the counter of the processor, where there is one, takes a tenth
// of that.
type glance struct {
	tick uint64
	time int64
}

// A span tells whether something took long, for as little as that may take.
type span struct {
	tick uint64
	time time.Time // where there are no ticks
}

func startSpan() span {
	if hasTicks {
		return span{tick: ticks()}
	}
	return span{time: time.Now()}
}

// long reports whether half a millisecond has passed, or a third on a fast processor.
func (w span) long() bool {
	if hasTicks {
		return ticks()-w.tick >= freshTicks
	}
	return time.Since(w.time) >= 500*time.Microsecond
}

// freshTicks is for how long a glance is good: a third of a millisecond where a tick is a
// third of a nanosecond, and nowhere more than a few.
const freshTicks = 1 << 20

// now returns nanoseconds since 1970, of a moment ago unless it has just looked.
func (g *glance) now(c *clock) (ns int64, looked bool) {
	t := ticks()
	if !hasTicks || t-g.tick >= freshTicks { // also after the counter went back
		g.tick, g.time, looked = t, c.now(), true
	}
	return g.time, looked
}
