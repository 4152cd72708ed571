package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

// A fastOp is an operation that has a short way.
type fastOp struct {
	do    func(q *Queue) error
	puts  bool // else it takes
	spare bool // on the lane that is kept for leases and reservations, else on the fast one
}

// fastOps go the short way on a handle that is ready for it: see ready.
var fastOps = map[string]fastOp{
	"Put": {do: func(q *Queue) error { return q.TryPut([]byte("put")) }, puts: true},
	"Reserve and Commit": {do: func(q *Queue) error {
		r, err := q.Reserve(context.Background(), 3)
		if err != nil {
			return err
		}
		return r.Commit(context.Background()) // with what is there: a fault in it were the caller's
	}, puts: true, spare: true},
	"Get": {do: func(q *Queue) error { _, err := q.TryGet(); return err }},
	"Lease and Ack": {do: func(q *Queue) error {
		m, err := q.TryLease()
		if err != nil {
			return err
		}
		return m.Ack()
	}, spare: true},
}

// lane returns the lane that op will use.
func (op fastOp) lane(q *Queue) *lane {
	if op.spare {
		return spareOf(q)
	}
	return q.fast
}

// spareOf returns the lane that is kept for the next lease or reservation.
func spareOf(q *Queue) *lane { return q.lanes[q.spareLease.Load()-1] }

// readyHandle returns a handle, in memory of its own, that is ready.
func readyHandle(t *testing.T, o *Options) *Queue {
	t.Helper()
	h, err := newHeap(o)
	if err != nil {
		t.Fatal(err)
	}
	q, _, err := h.open()
	return ready(t, opened(t)(q, err))
}

// ready makes q one that has done everything before, with one message waiting.
func ready(t *testing.T, q *Queue) *Queue {
	t.Helper()
	for _, name := range []string{"Reserve and Commit", "Put", "Lease and Ack"} {
		if err := fastOps[name].do(q); err != nil {
			t.Fatal(err)
		}
	}
	meet(q)
	return q
}

// meet has both lanes know where the queue's ends are.
func meet(q *Queue) {
	fast, spare := &q.fast.worker, &spareOf(q).worker
	fast.head, spare.tail = spare.head, fast.tail
}

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
			is.NoErr(op.do(q))
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
			var held, l *lane
			var wait chan struct{}
			inside(q, func() {
				var err error
				if !op.spare { // else the operation itself has it
					held = q.takeSpare()
				}
				l, wait, err = q.laneOrWait(op.spare)
				is.NoErr(err)
				is.Equal(l, nil)
			})
			is.NoErr(op.do(q))
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
	for name, op := range fastOps {
		at, kind := func(q *Queue) *cursor { return &op.lane(q).head }, uint32(kindOne)
		if op.puts {
			at, kind = func(q *Queue) *cursor { return &op.lane(q).tail }, kindEmpty
		}
		attacks := map[string]func(q *Queue){
			"block": func(q *Queue) {
				c := at(q)
				q.r.slot(c.index).Store(uint64(makeSlot(c.lap, kind, q.r.blocks, 0)))
			},
		}
		if !op.puts {
			attacks["length"] = func(q *Queue) {
				word := slotWord(q.r.slot(at(q).index).Load())
				q.r.blockHead(word.block()).meta.Store(uint64(makeMeta(kindOne, q.r.inline+1, 1)))
			}
		}
		attacks["nothing new"] = func(q *Queue) { q.broken.Store(true) }
		for what, attack := range attacks {
			t.Run(name+", "+what, func(t *testing.T) {
				is := is.New(t)
				q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
				attack(q)
				slots := slices.Clone(q.r.mem[q.r.offSlots:q.r.offChunkWords])
				is.True(errors.Is(op.do(q), ErrCorrupt))
				if what != "length" { // which is the owner's to know
					is.Equal(slots, q.r.mem[q.r.offSlots:q.r.offChunkWords])
				}
				for _, op := range fastOps { // and so it stays
					is.True(errors.Is(op.do(q), ErrCorrupt))
				}
			})
		}
	}
}

// The statistics count what goes the short way as they count all else.
func TestStatisticsOfFastWay(t *testing.T) {
	for name, op := range fastOps {
		if op.puts {
			continue
		}
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			q := readyHandle(t, &Options{Capacity: 256, MaxMessage: 8, Lanes: 2})
			for range 2 * sampling {
				is.NoErr(q.TryPut([]byte("message")))
			}
			for q.Len() > 0 {
				is.NoErr(op.do(q))
			}
			s := q.Stats()
			is.Equal(s.Sampled, uint64(4)) // puts number 0, 64 and 128, and the first of the other lane
			is.Equal(s.Gets, s.Puts)
		})
	}
	is := is.New(t)
	q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
	q.r.laneWord(spareOf(q).id, laneSince).Store(0)
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
			ready(t, q)
			is.NoErr(fastOps["Lease and Ack"].do(q))
			meet(q)
			if !op.puts {
				is.NoErr(other.TryPut([]byte("message")))
			}
			l := op.lane(q)
			announced := uint64(0)
			inside(q, func() {
				announced = q.r.laneWord(l.id, laneHigh).Load()<<posBits | record(l.rec.Load()).low()
			})
			is.NoErr(op.do(q))
			is.Equal(announced, uint64(first))
		})
	}
}

// Each wakes who sleeps on the other side, also if it finds its place only after a look
// around.
func TestFastWayWakes(t *testing.T) {
	for name, op := range fastOps {
		for _, behind := range []uint64{0, 1} {
			t.Run(fmt.Sprintf("%s, %d behind", name, behind), func(t *testing.T) {
				is := is.New(t)
				q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
				line, c := offNotFull, &op.lane(q).head
				if op.puts {
					line, c = offNotEmpty, &op.lane(q).tail
				}
				*c = q.r.cursorAt(c.pos - behind)
				seq, old := q.r.arm(line)
				is.NoErr(op.do(q))
				is.True(seq.Load() != old)
			})
		}
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
	inside(q, func() { is.NoErr(fastOps["Get"].do(other)) })
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
	is.NoErr(fastOps["Get"].do(q))
	lease := func(want string, attempts int) *Lease {
		t.Helper()
		m, err := q.TryLease()
		is.NoErr(err)
		is.Equal(string(m.Bytes()), want)
		is.Equal(m.Attempts(), attempts)
		is.Equal(cap(m.Bytes()), len(want)) // an append goes elsewhere
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
			is.NoErr(op.do(q))
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
			is.NoErr(fastOps["Put"].do(q))
			is.NoErr(fastOps[take].do(q))
		}
		is.True(q.fast.tail.pos-q.r.tail.Load() < hintInterval)
		is.True(q.fast.tail.pos-1-q.r.head.Load() < hintInterval) // one message is left
	}
}

// A reservation that its handle's Close came before is not put.
func TestCommitAfterClose(t *testing.T) {
	is := is.New(t)
	q := readyHandle(t, &Options{Capacity: 4, MaxMessage: 8, Lanes: 2})
	r, err := q.Reserve(t.Context(), 3)
	is.NoErr(err)
	is.NoErr(q.Close())
	tail := q.r.slot(q.fast.tail.index).Load()
	is.True(errors.Is(r.Commit(t.Context()), os.ErrClosed))
	is.Equal(q.r.slot(q.fast.tail.index).Load(), tail)
	is.True(q.gone)
}

// Who loses a swap lets the others get ahead if they have enough to do, but not in a
// call that never waits.
func TestLinger(t *testing.T) {
	ctx := t.Context()
	for name, ops := range map[string]struct {
		patient, never func(q *Queue) error
		other          func(q *Queue) error
	}{
		"Put": {
			func(q *Queue) error { return q.Put(ctx, []byte("m")) },
			func(q *Queue) error { return q.TryPut([]byte("m")) },
			func(q *Queue) error { return q.TryPut([]byte("m")) },
		},
		"Get": {
			func(q *Queue) error { _, err := q.Get(ctx); return err },
			func(q *Queue) error { _, err := q.TryGet(); return err },
			func(q *Queue) error { _, err := q.TryGet(); return err },
		},
		"Lease": {
			func(q *Queue) error { _, err := q.Lease(ctx); return err },
			func(q *Queue) error { _, err := q.TryLease(); return err },
			func(q *Queue) error { _, err := q.TryGet(); return err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h, err := newHeap(&Options{Capacity: 16})
			is.NoErr(err)
			open := func() *Queue { q, _, err := h.open(); return opened(t)(q, err) }
			q, other := open(), open()
			for range 7 {
				is.NoErr(other.TryPut([]byte("m")))
			}
			lingers := func(do func(*Queue) error) (n int) {
				q.r.hook = func(here step) {
					switch here {
					case stepSwap: // the other one is faster
						q.r.hook = func(here step) {
							if here == stepLinger {
								n++
							}
						}
						is.NoErr(ops.other(other))
					}
				}
				defer func() { q.r.hook = nil }()
				is.NoErr(do(q))
				return n
			}
			is.Equal(lingers(ops.never), 0)
			is.Equal(lingers(ops.patient), 1)
			is.Equal(lingers(ops.never), 0)
		})
	}
}

// A consumer that has waited lets producers get ahead while they do; in vain it tries
// more and more seldom.
func TestGather(t *testing.T) {
	is := is.New(t)
	h, err := newHeap(&Options{Capacity: 4 * lingerSlots})
	is.NoErr(err)
	q, _, err := h.open()
	opened(t)(q, err)
	put := func(n int) {
		for range n {
			is.NoErr(q.TryPut([]byte("m")))
		}
	}
	w := &q.fast.worker
	gathers := func(patient bool) (looks int) { // how many places it waits for
		q.r.hook = func(here step) {
			is.Equal(here, stepLinger)
			looks++
		}
		defer func() { q.r.hook = nil }()
		w.patient = patient
		q.r.gather(w)
		return looks
	}
	put(1)
	is.Equal(gathers(false), 0)
	for misses := range gatherMisses + 2 {
		is.Equal(gathers(true), 1) // nothing follows
		for range 2 << min(misses, gatherMisses-1) {
			is.Equal(gathers(true), 0)
		}
	}
	put(1)
	is.Equal(gathers(true), 2) // one follows, but no more
	put(lingerSlots - 1)
	for w.skips > 0 {
		is.Equal(gathers(true), 0)
	}
	for range 3 {
		is.Equal(gathers(true), 2)
	}
	is.Equal(w.misses, uint16(0))
	put(1)
	is.Equal(gathers(true), 2)
}

// Of the calls, those gather that have waited.
func TestGetGathers(t *testing.T) {
	is := is.New(t)
	h, err := newHeap(&Options{Capacity: 16})
	is.NoErr(err)
	open := func() *Queue { q, _, err := h.open(); return opened(t)(q, err) }
	q, other := open(), open()
	var gathered atomic.Int32
	q.r.hook = func(here step) {
		if here == stepLinger {
			gathered.Add(1)
		}
	}
	ctx := patient(t)
	for gathered.Load() == 0 { // unless the message comes before the call, or long after
		got := make(chan error)
		go func() { _, err := q.Get(ctx); got <- err }()
		is.NoErr(other.Put(ctx, []byte("m")))
		is.NoErr(<-got)
	}
	gathered.Store(0)
	is.NoErr(other.Put(ctx, []byte("m")))
	_, err = q.TryGet()
	is.NoErr(err)
	is.Equal(gathered.Load(), int32(0))
}
