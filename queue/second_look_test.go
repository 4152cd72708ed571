package queue

import (
	"io"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
)

// A consumer that saw the queue's end and looks at the leases only after one came
// back must not take the queue for drained: the message is where the end was.
func TestNotDrainedWhenALeaseCameBack(t *testing.T) {
	eachForm(t, &Options{Capacity: 4, MaxMessage: 10, Lanes: 8}, func(t *testing.T, is *is.I, open func() *Queue) {
		q, other := open(), open()
		is.NoErr(q.TryPut([]byte("m")))
		m, err := other.TryLease()
		is.NoErr(err)
		is.NoErr(q.CloseWrite())
		_, err = q.TryGet()
		is.Equal(err, ErrEmpty) // sealed, but the lease is open

		l, err := q.acquire()
		is.NoErr(err)
		_, err = q.r.peek(&l.worker)
		is.Equal(err, errSealed)
		is.NoErr(m.Nack()) // here this consumer was stopped
		is.Equal(q.drained(l), ErrEmpty)
		q.release(l)

		msg, err := q.TryGet()
		is.NoErr(err)
		is.Equal(string(msg), "m")
		_, err = q.TryGet()
		is.Equal(err, io.EOF)
	})
}

// A lane that gives up a swap and goes on 2^25 positions later has both halves of the
// later position in its two words, one after the other, but never at once. Who pairs
// the record of before with the high half of after believes in a swap that never was,
// and gives a block two owners.
func TestHalvesOfPositions(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("needs two processors at the same time")
	}
	is := is.New(t)
	h, err := newHeap(&Options{Capacity: 4, MaxMessage: 10, Lanes: 4})
	is.NoErr(err)
	r, err := checkRing(h.mem)
	is.NoErr(err)
	const x, low, q = 3, 100, 1
	const late = 1<<posBits + low // where a dead lane announced to put x
	rec, high := r.laneWord(q, laneRecord), r.laneWord(q, laneHigh)

	const enough = 25      // readers of only two words were deceived
	var deceived, asks int // the reader's
	var laps, again atomic.Uint32
	done := make(chan struct{})
	var stop atomic.Bool
	go func() { // the lane
		defer close(done)
		for !stop.Load() {
			for own := uint32(0); own < maxBlocks && !stop.Load(); own++ { // no record comes twice in a lap
				high.Store(0)
				rec.Store(uint64(makeRecord(opTake, low, own, x)))
				rec.Store(uint64(makeRecord(opIdle, 0, own, 0)))
				high.Store(late >> posBits)
			}
			for n := laps.Add(1); again.Load() != n && !stop.Load(); { // nobody is between two looks
				runtime.Gosched()
			}
		}
	}()
	for ctx := patient(t); deceived < enough && ctx.Err() == nil; asks++ {
		if r.happened(x, makeRecord(opPut, late, x, 0), late, late) {
			t.Fatal("a swap was believed in that never took place")
		}
		if v := record(rec.Load()); v.op() == opTake && high.Load() != 0 {
			deceived++
		}
		again.Store(laps.Load())
	}
	stop.Store(true)
	<-done
	if t.Logf("asked %d times; looking once would have deceived %d times", asks, deceived); deceived < enough {
		t.Skip("lane and reader hardly ever run at the same time here")
	}
}
