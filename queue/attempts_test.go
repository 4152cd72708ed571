package queue

import (
	"testing"

	"github.com/matryer/is"
)

// Attempts of a message in a packed entry are its own, not those of the one
// that was at its place in front.
func TestAttemptsOfPacked(t *testing.T) {
	eachForm(t, &Options{Capacity: 4, MaxMessage: 10}, func(t *testing.T, is *is.I, open func() *Queue) {
		ctx := patient(t)
		q := open()
		_, err := q.PutBatch(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("c")})
		is.NoErr(err)
		m, err := q.Lease(ctx)
		is.NoErr(err)
		is.NoErr(m.Nack())
		msg, err := q.Get(ctx) // takes "a" and leaves the entry where it is
		is.NoErr(err)
		is.Equal(string(msg), "a")
		for _, want := range []string{"b", "c"} {
			m, err = q.Lease(ctx)
			is.NoErr(err)
			is.Equal(string(m.Bytes()), want)
			is.Equal(m.Attempts(), 1)
			is.True(m.Redelivered()) // it came back with "a"
			is.NoErr(m.Ack())
		}
	})
}

// A Reader shows the attempts of the message that had them.
func TestPeekAttempts(t *testing.T) {
	is := is.New(t)
	ctx := patient(t)
	name := uniqueName(t)
	q := named(t, name, &Options{Capacity: 4, MaxMessage: 10})()
	_, err := q.PutBatch(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("c")})
	is.NoErr(err)
	m, err := q.Lease(ctx)
	is.NoErr(err)
	is.NoErr(m.Ack())
	for range 2 {
		m, err = q.Lease(ctx)
		is.NoErr(err)
		is.Equal(string(m.Bytes()), "b")
		is.NoErr(m.Nack())
	}
	r, err := OpenReader(name)
	is.NoErr(err)
	defer r.Close()
	msgs, err := r.Peek(10, 10)
	is.NoErr(err)
	is.Equal(len(msgs), 2)
	is.Equal(string(msgs[0].Data), "b")
	is.Equal(msgs[0].Attempts, 2)
	is.Equal(string(msgs[1].Data), "c")
	is.Equal(msgs[1].Attempts, 0)
}

// A consumer that dies in an Ack has not delivered the next message of the
// entry, wherever it dies.
func TestDeathInAckOfPacked(t *testing.T) {
	died := "died"
	for n := 0; ; n++ {
		is := is.New(t)
		h, err := newHeap(&Options{Capacity: 4, MaxMessage: 10, MaxAttempts: 1})
		is.NoErr(err)
		victim, locks, err := h.open()
		is.NoErr(err)
		victim.dead.q = nowhere(t)
		_, err = victim.PutBatch(t.Context(), [][]byte{[]byte("a"), []byte("b")})
		is.NoErr(err)
		m, err := victim.Lease(t.Context())
		is.NoErr(err)
		steps := n
		victim.r.hook = func(step) {
			if steps == 0 {
				panic(died)
			}
			steps--
		}
		over := func() (over bool) {
			defer func() {
				if p := recover(); p != nil && p != died {
					panic(p)
				}
			}()
			m.Ack()
			return true
		}()
		victim.r.hook = nil
		locks.kill()

		q, _, err := h.open()
		is.NoErr(err)
		letters := nowhere(t)
		q.dead.q = letters
		is.NoErr(q.reapDead())
		for msg, err := letters.TryGet(); err == nil; msg, err = letters.TryGet() {
			is.Equal(string(msg), "a") // "b" was never delivered
		}
		m, err = q.TryLease()
		is.NoErr(err)
		is.Equal(string(m.Bytes()), "b")
		is.Equal(m.Attempts(), 1)
		q.Close()
		if over {
			is.True(n > 0)
			return
		}
	}
}
