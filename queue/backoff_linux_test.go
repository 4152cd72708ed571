package queue

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
)

// Where other programs compute on all processors, spinners soon leave these alone, and
// come back when the others have ended.
func TestSpinLosesTheProcessor(t *testing.T) {
	is := is.New(t)
	var s side
	var slot atomic.Uint64
	var nobody atomic.Uint32
	spin := func(old slotWord) bool {
		s.luck.Store(maxLuck)
		return s.spin(&slot, old, &nobody)
	}
	var others []*child
	for range runtime.NumCPU() {
		others = append(others, spawn(t, computing))
	}
	ctx := patient(t)
	for s.backoff.losses < 2 {
		is.True(!spin(0))
		is.NoErr(ctx.Err())
	}
	is.True(!spin(1)) // though what it waits for is there: to sleep would find out
	for _, c := range others {
		c.kill()
	}
	for !spin(1) {
		is.NoErr(ctx.Err())
		runtime.Gosched()
	}
	is.Equal(s.backoff.keeps, uint8(1))
}

var computing = registerChild("computing", func([]string) error {
	for n := uint64(1); n != 0; n++ {
	}
	return nil
})
