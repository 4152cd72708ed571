package queue

import (
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"
)

// fastOps are the operations that have a short way, each on a handle that is ready for
// it: see readyHandle.
var fastOps = map[string]func(q *Queue) error{
	"Put": func(q *Queue) error { return q.TryPut([]byte("put")) },
	"Get": func(q *Queue) error { _, err := q.TryGet(); return err },
	"Lease and Ack": func(q *Queue) error {
		m, err := q.TryLease()
		if err != nil {
			return err
		}
		return m.Ack()
	},
}

// readyHandle returns a handle that has put and leased before, with one message waiting.
func readyHandle(t *testing.T, o *Options) *Queue {
	t.Helper()
	h, err := newHeap(o)
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := h.open()
	return ready(t, opened(t)(q, err))
}

func ready(t *testing.T, q *Queue) *Queue {
	t.Helper()
	for range 2 {
		if err := q.TryPut([]byte("message")); err != nil {
			t.Fatal(err)
		}
	}
	if err := fastOps["Lease and Ack"](q); err != nil {
		t.Fatal(err)
	}
	q.fast.head = spareHead(q) // else Get looks for where that is
	return q
}

// spareHead is where the next Lease looks.
func spareHead(q *Queue) cursor { return q.lanes[q.spareLease.Load()-1].head }

// inside lets f act once in the middle of an operation of q.
func inside(q *Queue, f func()) {
	q.r.hook = func(here step) {
		if here == stepSwap {
			q.r.hook = nil
			f()
		}
	}
}

// A handle that is closed in the middle of an operation gives its memory back with
// the end of that.
func TestCloseInOperation(t *testing.T) {
	for name, op := range fastOps {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
			inside(q, func() {
				is.NoErr(q.Close())
				is.True(!q.gone)
			})
			is.NoErr(op(q))
			is.True(q.gone)
		})
	}
}

// Who comes to wait for a lane in the middle of an operation is woken by its end.
func TestOperationWakesWaiter(t *testing.T) {
	for name, op := range fastOps {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
			spare := name != "Lease and Ack"
			var held, l *lane
			var wait chan struct{}
			inside(q, func() {
				var err error
				if spare { // else the operation itself has it
					held = q.takeSpare()
					l, wait, err = q.laneOrWait(false)
				} else {
					l, wait, err = q.laneOrWait(true)
				}
				is.NoErr(err)
				is.Equal(l, nil)
			})
			is.NoErr(op(q))
			select {
			case <-wait:
			default:
				t.Error("it still waits")
			}
			if held != nil {
				q.release(held)
			}
		})
	}
}

// A word that names no block of the queue is found before the block is touched, and a
// length that no block has before a message is made of it. The handle refuses from then on.
func TestHostileFastWay(t *testing.T) {
	slot := func(at func(q *Queue) cursor, kind uint32) func(q *Queue) {
		return func(q *Queue) {
			c := at(q)
			q.r.slot(c.index).Store(uint64(makeSlot(c.lap, kind, q.r.blocks, 0)))
		}
	}
	length := func(q *Queue) {
		c := spareHead(q)
		h := q.r.blockHead(slotWord(q.r.slot(c.index).Load()).block())
		h.meta.Store(uint64(makeMeta(kindOne, q.r.inline+1, 1)))
	}
	for name, op := range fastOps {
		attacks := map[string]func(q *Queue){
			"block of a message": slot(spareHead, kindOne),
			"length":             length,
		}
		if name == "Put" {
			attacks = map[string]func(q *Queue){
				"block of a free slot": slot(func(q *Queue) cursor { return q.fast.tail }, kindEmpty),
			}
		}
		attacks["nothing new"] = func(q *Queue) { q.broken.Store(true) }
		for what, attack := range attacks {
			t.Run(name+", "+what, func(t *testing.T) {
				is := is.New(t)
				q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
				attack(q)
				slots := slices.Clone(q.r.mem[q.r.offSlots:q.r.offChunkWords])
				is.True(errors.Is(op(q), ErrCorrupt))
				if what != "length" { // which is the owner's to know
					is.Equal(slots, q.r.mem[q.r.offSlots:q.r.offChunkWords])
				}
				for _, op := range fastOps {
					is.True(errors.Is(op(q), ErrCorrupt))
				}
			})
		}
	}
}

// The statistics count what goes the short way as they count all else.
func TestStatisticsOfFastWay(t *testing.T) {
	for name, op := range fastOps {
		if name == "Put" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			q := readyHandle(t, &Options{Capacity: 256, MaxMessage: 8, Lanes: 2})
			for range 2 * sampling {
				is.NoErr(q.TryPut([]byte("message")))
			}
			for q.Len() > 0 {
				is.NoErr(op(q))
			}
			s := q.Stats()
			is.Equal(s.Sampled, uint64(3)) // puts number 0, 64 and 128
			is.Equal(s.Gets, s.Puts)
		})
	}
	is := is.New(t)
	q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
	q.r.laneWord(q.spareLease.Load()-1, laneSince).Store(0)
	m, err := q.TryLease()
	is.NoErr(err)
	s := q.Stats()
	is.Equal(s.Leased, 1)
	is.True(s.Holders[m.l.id].Lease)
	is.True(time.Since(s.Holders[m.l.id].Since) < time.Hour) // not since 1970
	is.NoErr(m.Ack())
}

// What an operation announces names its position whole, also the first position whose
// high bits are new to its lane: a reaper reads both words.
func TestAnnouncedPosition(t *testing.T) {
	const first = 1 << posBits
	for name, op := range fastOps {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t, &scenario{}, first-2)
			q, _ := w.open(t)
			defer q.Close()
			other, _ := w.open(t)
			defer other.Close()
			for range 2 {
				is.NoErr(q.TryPut([]byte("message")))
			}
			for range 2 {
				is.NoErr(fastOps["Lease and Ack"](q))
			}
			l := q.lanes[q.spareLease.Load()-1]
			if name != "Lease and Ack" {
				q.fast.head, l = l.head, q.fast
			}
			if name != "Put" {
				is.NoErr(other.TryPut([]byte("message")))
			}
			announced := uint64(0)
			inside(q, func() {
				announced = q.r.laneWord(l.id, laneHigh).Load()<<posBits | record(l.rec.Load()).low()
			})
			is.NoErr(op(q))
			is.Equal(announced, uint64(first))
		})
	}
}

// Each wakes who sleeps on the other side.
func TestFastWayWakes(t *testing.T) {
	for name, op := range fastOps {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
			line := offNotFull
			if name == "Put" {
				line = offNotEmpty
			}
			seq, old := q.r.arm(line)
			is.NoErr(op(q))
			is.True(seq.Load() != old)
		})
	}
}

// A lease that went to another consumer is nobody's: it keeps none from the queue's end.
func TestLostLease(t *testing.T) {
	is := is.New(t)
	w := newWorld(t, &scenario{}, crashCapacity)
	q, _ := w.open(t)
	other, _ := w.open(t)
	defer other.Close()
	defer ready(t, q).Close()
	inside(q, func() { is.NoErr(fastOps["Get"](other)) })
	_, err := q.TryLease()
	is.Equal(err, ErrEmpty)
	is.Equal(other.Stats().Leased, 0)
	is.NoErr(q.CloseWrite())
	_, err = other.TryGet()
	is.Equal(err, io.EOF)
}

// The lane that a lease has left knows nothing of it any more, and what a handle keeps
// comes before what the queue has.
func TestLeaseAgain(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 4})
	is.NoErr(fastOps["Get"](q))
	lease := func(want string, attempts int) *Lease {
		t.Helper()
		m, err := q.TryLease()
		is.NoErr(err)
		is.Equal(string(m.Bytes()), want)
		is.Equal(m.Attempts(), attempts)
		return m
	}
	_, err := q.PutBatch(ctx, [][]byte{[]byte("a"), []byte("b")})
	is.NoErr(err)
	a := lease("a", 1)
	second, err := q.leaseLaneNow()
	is.NoErr(err)
	is.NoErr(a.Ack())
	q.release(second)
	is.True(q.spareLease.Load() != 0)
	is.NoErr(q.TryPut([]byte("c")))
	b := lease("b", 1)
	is.True(q.takeSpare() == second) // so that b's is the next
	is.NoErr(b.Ack())
	is.NoErr(lease("c", 1).Nack())
	first := q.takeSpare()
	q.release(second)
	is.NoErr(lease("c", 2).Ack()) // says the other lane, too
	q.release(first)
}

// Whether a fault is a panic in the caller's goroutine stays the caller's choice.
func TestFaultsAfterFastWay(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(false))
	for name, op := range fastOps {
		for _, panics := range []bool{false, true} {
			is := is.New(t)
			q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
			debug.SetPanicOnFault(panics)
			is.NoErr(op(q))
			if debug.SetPanicOnFault(false) != panics {
				t.Error(name, "changed it from", panics)
			}
		}
	}
}

// The hints keep up: who opens a queue that is in use for long finds its ends at once.
func TestHintsOfFastWay(t *testing.T) {
	for _, take := range []string{"Get", "Lease and Ack"} {
		is := is.New(t)
		q := readyHandle(t, &Options{Capacity: 2 * hintInterval, MaxMessage: 8, Lanes: 2})
		for range 10 * hintInterval {
			is.NoErr(fastOps["Put"](q))
			is.NoErr(fastOps[take](q))
		}
		is.True(q.fast.tail.pos-q.r.tail.Load() < hintInterval)
		is.True(q.fast.tail.pos-1-q.r.head.Load() < hintInterval) // one message is left
	}
}
