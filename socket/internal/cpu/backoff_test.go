package cpu

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestBackoff(t *testing.T) {
	is := is.New(t)
	var b Backoff
	now := Clock() + time.Hour
	lose := func() time.Duration {
		is.True(b.Lost(now-lost, now))
		if b.until == 0 {
			return 0
		}
		is.True(b.Active())
		return b.until - now
	}
	is.True(!b.Lost(now-lost+1, now))  // the peer had it
	is.Equal(lose(), time.Duration(0)) // once is nothing

	pause := firstPause
	for range mostLosses - 1 {
		is.Equal(lose(), pause)
		pause *= 2
	}
	is.Equal(lose(), pause/2) // not for ever

	b.until = Clock()
	is.True(!b.Active())
	is.True(!b.Active())
	for range keepsEnough - 1 {
		b.Kept()
	}
	is.Equal(lose(), pause/2) // the same trouble
	for range keepsEnough + 1 {
		b.Kept()
	}
	b.until = 0
	is.Equal(lose(), time.Duration(0)) // another one
	is.Equal(lose(), firstPause)
}
