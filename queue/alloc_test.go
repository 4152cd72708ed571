package queue

import (
	"context"
	"testing"

	"github.com/matryer/is"
)

// TestAllocations keeps the promise of the README: these calls do not allocate.
func TestAllocations(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	is := is.New(t)
	q := named(t, uniqueName(t), &Options{Capacity: 64, MaxMessage: 5000, EntrySize: 1024})()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	short, long, buf := make([]byte, 100), make([]byte, 5000), make([]byte, 5000)
	msgs := [][]byte{short, short, long, short}
	var b Batch
	get := func() { _, err := q.GetInto(ctx, buf); is.NoErr(err) }
	put := func(msg []byte) { is.NoErr(q.Put(ctx, msg)) }
	for name, f := range map[string]func(){
		"Put, GetInto":               func() { put(short); get() },
		"Put, GetInto of a long one": func() { put(long); get() },
		"PutBatch, GetBatchInto": func() {
			_, err := q.PutBatch(ctx, msgs)
			is.NoErr(err)
			is.NoErr(q.GetBatchInto(ctx, &b, len(msgs)))
		},
		"Reserve, Commit, Lease, Ack": func() {
			r, err := q.Reserve(ctx, len(short))
			is.NoErr(err)
			is.NoErr(r.Commit(ctx))
			m, err := q.Lease(ctx)
			is.NoErr(err)
			is.NoErr(m.Ack())
		},
	} {
		if n := testing.AllocsPerRun(300, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
