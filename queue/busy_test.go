package queue

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/matryer/is"
)

var holderMain = registerChild("holder", runHolder)

// runHolder leases a message of queue args[0], says so, and keeps it.
func runHolder(args []string) error {
	q, err := Open(args[0], nil)
	if err != nil {
		return err
	}
	m, err := q.TryLease()
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", m.Bytes())
	_, err = bufio.NewReader(os.Stdin).ReadByte()
	return err
}

// What a dead worker had leased comes back also where nobody ever waits, because there is
// always a message and always space.
func TestGivenBackWhileBusy(t *testing.T) {
	var b Batch
	work := []byte("work")
	pair := [][]byte{work, work}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, way := range []struct {
		name string
		turn func(q, feed *Queue) error // feed never looks around
	}{
		{"lease", func(q, feed *Queue) error {
			m, err := q.Lease(ctx)
			if err == nil {
				err = m.Ack()
			}
			return cmp.Or(err, feed.Put(ctx, work))
		}},
		{"get", func(q, feed *Queue) error {
			_, err := q.Get(ctx)
			return cmp.Or(err, feed.Put(ctx, work))
		}},
		{"try", func(q, feed *Queue) error {
			_, err := q.TryGet()
			return cmp.Or(err, feed.Put(ctx, work))
		}},
		{"batch", func(q, feed *Queue) error {
			_, err := feed.PutBatch(ctx, pair)
			return cmp.Or(err, q.GetBatchInto(ctx, &b, 2))
		}},
		{"put", func(q, feed *Queue) error {
			for began := time.Now(); time.Since(began) < 20*time.Microsecond; { // or it would be full
			}
			return q.Put(ctx, work)
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			is := is.New(t)
			name := uniqueName(t)
			open := named(t, name, &Options{Capacity: 1 << 17, MaxMessage: 8})
			q, feed := open(), open()
			feed.looked.Store(math.MaxInt64)
			for range 10 {
				is.NoErr(feed.Put(ctx, work))
			}
			is.NoErr(way.turn(q, feed)) // the handle has looked around once
			c := spawn(t, holderMain, name)
			s, err := c.line()
			is.NoErr(err)
			is.Equal(s, string(work))
			is.Equal(q.Stats().Leased, 1)
			c.kill()
			for q.Stats().Requeued == 0 {
				is.NoErr(ctx.Err()) // not given back
				for range 100 {
					is.NoErr(way.turn(q, feed))
				}
			}
			is.Equal(q.Stats().Leased, 0)
			is.Equal(q.Stats().Waits, uint64(0)) // nobody waited
		})
	}
}
