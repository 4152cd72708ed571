package queue

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
)

// Benchmarks between processes: the other side is this binary, run again. One
// operation is one message that has arrived, or one round trip.

var (
	_ = registerChild("bench consumer", func(args []string) error { return consume(args[0], args[1]) })
	_ = registerChild("bench producer", func(args []string) error {
		size, _ := strconv.Atoi(args[1])
		n, _ := strconv.Atoi(args[2])
		return produce(args[0], size, n)
	})
	_ = registerChild("bench echo", func(args []string) error { return echo(args[0], args[1]) })
)

// consume takes messages until the end of the queue.
func consume(name, how string) error {
	q, err := Open(name, nil)
	if err != nil {
		return err
	}
	defer q.Close()
	ctx := context.Background()
	var buf []byte
	var batch Batch
	for {
		switch how {
		case "batch":
			err = q.GetBatchInto(ctx, &batch, 64)
		case "lease":
			var m *Lease
			if m, err = q.Lease(ctx); err == nil {
				err = m.Ack()
			}
		default:
			buf, err = q.GetInto(ctx, buf)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func produce(name string, size, n int) error {
	q, err := Open(name, nil)
	if err != nil {
		return err
	}
	defer q.Close()
	msg := make([]byte, size)
	for range n {
		if err := q.Put(context.Background(), msg); err != nil {
			return err
		}
	}
	return nil
}

func echo(in, out string) error {
	q, err := Open(in, nil)
	if err != nil {
		return err
	}
	defer q.Close()
	p, err := Open(out, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	for m, err := range q.Messages(context.Background()) {
		if err == nil {
			err = p.Put(context.Background(), m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkOneWayTwoProcesses(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10, 1 << 20} {
		for _, how := range []string{"get", "lease", "reserve+lease", "batch"} {
			if how == "batch" && size > 1<<10 {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", how, size), func(b *testing.B) {
				o := &Options{Capacity: 1024, MaxMessage: size, Memory: 1<<20 + 300*size}
				if size <= 1<<10 {
					o.Memory, o.EntrySize = 0, size
				}
				if how == "batch" {
					o.EntrySize, o.Capacity = 64*(size+4), 64
				}
				if size > 1<<10 {
					o.Capacity, o.Memory = 128, 0
					o.EntrySize = size
				}
				name := uniqueName(b)
				q := named(b, name, o)()
				ctx := context.Background()
				msg := make([]byte, size)
				c := spawn(b, "bench consumer", name, strings.TrimPrefix(how, "reserve+"))
				b.ReportAllocs()
				b.SetBytes(int64(size))
				switch how {
				case "batch":
					msgs := make([][]byte, 64)
					for i := range msgs {
						msgs[i] = msg
					}
					for n := b.N; n > 0; n -= len(msgs) {
						q.PutBatch(ctx, msgs[:min(n, len(msgs))])
					}
				case "reserve+lease":
					for range b.N {
						r, err := q.Reserve(ctx, size)
						if err != nil {
							b.Fatal(err)
						}
						r.Bytes()[0] = 1
						r.Commit(ctx)
					}
				default:
					for range b.N {
						q.Put(ctx, msg)
					}
				}
				q.CloseWrite()
				c.wait()
			})
		}
	}
}

func BenchmarkTwoByTwoFiveProcesses(b *testing.B) {
	for _, size := range []int{64, 1 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			name := uniqueName(b)
			q := named(b, name, &Options{Capacity: 1024, MaxMessage: size})()
			var cs, ps []*child
			for range 2 {
				cs = append(cs, spawn(b, "bench consumer", name, "get"))
			}
			b.ResetTimer()
			for i := range 2 {
				ps = append(ps, spawn(b, "bench producer", name, strconv.Itoa(size), strconv.Itoa((b.N+i)/2)))
			}
			for _, p := range ps {
				p.wait()
			}
			q.CloseWrite()
			for _, c := range cs {
				c.wait()
			}
		})
	}
}

func BenchmarkPingPongTwoProcesses(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 16 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			there, back := uniqueName(b), uniqueName(b)
			p := named(b, there, &Options{Capacity: 16, MaxMessage: size})()
			q := named(b, back, &Options{Capacity: 16, MaxMessage: size})()
			c := spawn(b, "bench echo", there, back)
			ctx := context.Background()
			msg, buf := make([]byte, size), make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				p.Put(ctx, msg)
				buf, _ = q.GetInto(ctx, buf)
			}
			p.CloseWrite()
			c.wait()
		})
	}
}
