package queue

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

// forms are the places where a queue can live. Every test of conform runs over
// each of them.
var forms = []struct {
	name string
	make func(t testing.TB, o *Options) (open func() *Queue)
}{
	{"shared memory", func(t testing.TB, o *Options) func() *Queue { return named(t, uniqueName(t), o) }},
	{"file", func(t testing.TB, o *Options) func() *Queue {
		return named(t, filepath.Join(t.TempDir(), "q"), o)
	}},
	{"anonymous", func(t testing.TB, o *Options) func() *Queue {
		q, err := Anonymous(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		return func() *Queue { return opened(t)(FromFile(q.File())) }
	}},
	{"heap", func(t testing.TB, o *Options) func() *Queue {
		h, err := newHeap(o)
		if err != nil {
			t.Fatal(err)
		}
		return func() *Queue { q, _, err := h.open(); return opened(t)(q, err) }
	}},
}

var unique sync.Map

func uniqueName(t testing.TB) string {
	n, _ := unique.LoadOrStore("n", new(int))
	p := n.(*int)
	*p++
	return fmt.Sprintf("test.%d.%d", os.Getpid(), *p)
}

func named(t testing.TB, name string, o *Options) func() *Queue {
	q, err := Create(name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close(); Remove(name) })
	return func() *Queue { return opened(t)(Open(name, nil)) }
}

func opened(t testing.TB) func(*Queue, error) *Queue {
	return func(q *Queue, err error) *Queue {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		return q
	}
}

func TestBasics(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			is := is.New(t)
			open := f.make(t, &Options{Capacity: 3, MaxMessage: 100})
			p, c := open(), open()
			ctx := t.Context()
			_, err := c.TryGet()
			is.Equal(err, ErrEmpty)
			for lap := range 10 {
				for i := range 3 {
					is.NoErr(p.TryPut(fmt.Appendf(nil, "%d.%d", lap, i)))
					is.Equal(c.Len(), i+1)
				}
				is.Equal(p.TryPut(nil), ErrFull)
				for i := range 3 {
					m, err := c.Get(ctx)
					is.NoErr(err)
					is.Equal(string(m), fmt.Sprintf("%d.%d", lap, i))
				}
			}
			is.NoErr(p.Put(ctx, nil))
			m, err := c.Get(ctx)
			is.NoErr(err)
			is.Equal(len(m), 0)
			is.NoErr(p.Put(ctx, []byte("last")))
			is.NoErr(p.CloseWrite())
			m, err = c.Get(ctx)
			is.NoErr(err)
			is.Equal(string(m), "last")
			_, err = c.Get(ctx)
			is.Equal(err, io.EOF)
		})
	}
}

func TestBlocking(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			is := is.New(t)
			open := f.make(t, &Options{Capacity: 4, MaxMessage: 5000, EntrySize: 1024})
			p, c := open(), open()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			const n = 3000
			go func() {
				for i := range n {
					p.Put(ctx, bytes.Repeat([]byte{byte(i)}, i*5001/n))
				}
				p.CloseWrite()
			}()
			i := 0
			for m, err := range c.Messages(ctx) {
				is.NoErr(err)
				if !bytes.Equal(m, bytes.Repeat([]byte{byte(i)}, i*5001/n)) {
					t.Fatalf("message %d: %d bytes", i, len(m))
				}
				i++
			}
			is.Equal(i, n)
		})
	}
}

func BenchmarkPutGet(b *testing.B) {
	for _, size := range []int{64, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			q := named(b, uniqueName(b), &Options{MaxMessage: size})()
			msg, buf := make([]byte, size), make([]byte, size)
			b.ReportAllocs()
			ctx := context.Background()
			for b.Loop() {
				q.Put(ctx, msg)
				buf, _ = q.GetInto(ctx, buf)
			}
		})
	}
}

// What being delivered at least once costs, and what the two copies do.
func BenchmarkLease(b *testing.B) {
	for _, how := range []string{"put", "reserve"} {
		b.Run(how, func(b *testing.B) {
			q := named(b, uniqueName(b), &Options{MaxMessage: 64})()
			msg := make([]byte, 64)
			b.ReportAllocs()
			ctx := context.Background()
			for b.Loop() {
				if how == "put" {
					q.Put(ctx, msg)
				} else if r, err := q.Reserve(ctx, len(msg)); err == nil {
					r.Bytes()[0] = 1
					r.Commit(ctx)
				}
				if m, err := q.Lease(ctx); err == nil {
					m.Ack()
				}
			}
		})
	}
}

// One message in 64 of a lane is sampled, the first one included, so that
// processes that put a single message show in the statistics; a batch counts as one.
func TestSampling(t *testing.T) {
	for name, put := range map[string]func(q *Queue) error{
		"Put": func(q *Queue) error { return q.Put(t.Context(), []byte("m")) },
		"PutBatch": func(q *Queue) error {
			_, err := q.PutBatch(t.Context(), [][]byte{[]byte("m"), []byte("n")})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			q, err := Anonymous(&Options{Capacity: 256, MaxMessage: 64})
			is.NoErr(err)
			defer q.Close()
			for range 2*sampling + 1 {
				is.NoErr(put(q))
			}
			for q.Len() > 0 {
				_, err := q.GetBatch(t.Context(), 100)
				is.NoErr(err)
			}
			is.Equal(q.Stats().Sampled, uint64(3)) // puts number 0, 64 and 128
		})
	}
}
