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
