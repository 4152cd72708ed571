package queue

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestBackoff(t *testing.T) {
	is := is.New(t)
	var b backoff
	now := time.Now().Add(time.Hour)
	lose := func() time.Duration {
		b.lost(now)
		if b.until.IsZero() {
			return 0
		}
		is.True(b.active())
		return b.until.Sub(now)
	}
	is.True(!b.active())
	is.Equal(lose(), time.Duration(0)) // once is nothing
	pause := firstPause
	for range mostLosses - 1 {
		is.Equal(lose(), pause)
		pause *= 2
	}
	is.Equal(lose(), pause/2) // not for ever

	b.until = time.Now()
	is.True(!b.active())
	is.True(!b.active())
	for range keepsEnough - 1 {
		b.kept()
	}
	is.Equal(lose(), pause/2) // the same trouble
	for range keepsEnough + 1 {
		b.kept()
	}
	b.until = time.Time{}
	is.Equal(lose(), time.Duration(0)) // another one
	is.Equal(lose(), firstPause)
}

// A processor that others of the same side have used for the queue is not lost.
func TestPassed(t *testing.T) {
	is := is.New(t)
	get, put := side{line: offNotEmpty}, side{line: offNotFull}
	empty, message := makeSlot(7, kindEmpty, 1, 0), makeSlot(7, kindOne, 2, 0)
	is.True(!get.passed(empty, empty))
	is.True(!get.passed(empty, message)) // it waits for whoever comes
	is.True(get.passed(empty, makeSlot(8, kindEmpty, 3, 0)))
	is.True(get.passed(empty, makeSlot(8, kindMany, 3, 0)))

	is.True(!put.passed(message, message))
	is.True(!put.passed(message, makeSlot(8, kindEmpty, 3, 0))) // there is room
	is.True(put.passed(message, makeSlot(8, kindOne, 3, 0)))
	is.True(put.passed(message, makeSlot(9, kindLarge, 3, 0)))
}
