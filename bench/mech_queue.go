package main

import (
	"context"
	"io"
	"runtime"

	"github.com/ipcctl/ipc/queue"
)

var ctx = context.Background()

// ringSize is how many bytes of messages a queue holds, as Boost's and the ring in C do: it
// should fit a cache. A ring comes by all of its memory, however few messages wait.
const ringSize = 1 << 20

// queueOptions sizes a queue for messages of one size.
func queueOptions(j *Job, packed bool) *queue.Options {
	o := &queue.Options{Capacity: 1024, MaxMessage: j.Size, EntrySize: j.Size}
	if n := j.Producers + j.Consumers; n > 16 {
		o.Lanes = 4 * n // two for each process, and one for its lease
	}
	if packed {
		o.EntrySize = batchSize * (j.Size + 4)
	}
	o.Capacity = min(1024, max(16, ringSize/o.EntrySize))
	return o
}

var queuePing = &pinger{
	serve: func(j *Job, ready func()) error {
		in, err := queue.Create(j.Name+"-a", queueOptions(j, false))
		if err != nil {
			return err
		}
		out, err := queue.Create(j.Name+"-b", queueOptions(j, false))
		if err != nil {
			return err
		}
		ready()
		for buf := []byte(nil); ; {
			if buf, err = in.GetInto(ctx, buf); err != nil {
				return err
			}
			j.think()
			if err := out.Put(ctx, buf); err != nil {
				return err
			}
		}
	},
	dial: func(j *Job) (func([]byte) error, error) {
		out, err := queue.Open(j.Name+"-a", nil)
		if err != nil {
			return nil, err
		}
		in, err := queue.Open(j.Name+"-b", nil)
		if err != nil {
			return nil, err
		}
		buf := make([]byte, j.Size)
		return func(msg []byte) error {
			if err := out.Put(ctx, msg); err != nil {
				return err
			}
			buf, err = in.GetInto(ctx, buf)
			return sameLength(buf, msg, err)
		}, nil
	},
}

// queueFlow is a flow with the given way to put and to take.
//
//go:noinline
func queueFlow(put, take string) *flow {
	return &flow{
		setup: func(j *Job) (func() error, func(), error) {
			q, err := queue.Create(j.Name, queueOptions(j, put == "batch"))
			if err != nil {
				return nil, nil, err
			}
			return q.CloseWrite, func() { q.Close() }, nil
		},
		produce: func(j *Job) (func([]byte, int) error, func() error, error) {
			q, err := queue.Open(j.Name, nil)
			if err != nil {
				return nil, nil, err
			}
			var batch [][]byte
			return func(msg []byte, n int) error {
				switch put {
				case "batch":
					for len(batch) < n {
						batch = append(batch, msg)
					}
					_, err := q.PutBatch(ctx, batch[:n])
					return err
				case "reserve":
					for range n {
						r, err := q.Reserve(ctx, len(msg))
						if err != nil {
							return err
						}
						r.Bytes()[0] = 1
						if err := r.Commit(ctx); err != nil {
							return err
						}
					}
				default:
					for range n {
						if err := q.Put(ctx, msg); err != nil {
							return err
						}
					}
				}
				return nil
			}, q.Close, nil
		},
		consume: func(j *Job, ready func()) (n int64, err error) {
			q, err := queue.Open(j.Name, nil)
			if err != nil {
				return 0, err
			}
			defer q.Close()
			ready()
			var buf []byte
			var b queue.Batch
			for {
				switch take {
				case "batch":
					if err = q.GetBatchInto(ctx, &b, batchSize); err == nil {
						n += int64(len(b.Messages()))
					}
				case "lease":
					var m *queue.Lease
					if m, err = q.Lease(ctx); err == nil {
						runtime.KeepAlive(m.Bytes()[0]) // what a consumer does at least
						err = m.Ack()
						n++
					}
				default:
					if buf, err = q.GetInto(ctx, buf); err == nil {
						n++
					}
				}
				if err == io.EOF {
					return n, nil
				}
				if err != nil {
					return n, err
				}
			}
		},
	}
}

// queueLocal puts a message and takes it again, as one goroutine.
func queueLocal(j *Job) (func() error, error) {
	q, err := queue.Create(j.Name, queueOptions(j, false))
	if err != nil {
		return nil, err
	}
	msg, buf := make([]byte, j.Size), make([]byte, j.Size)
	return func() error {
		if err := q.Put(ctx, msg); err != nil {
			return err
		}
		buf, err = q.GetInto(ctx, buf)
		return err
	}, nil
}

// queueLocalInPlace is the same without a copy.
func queueLocalInPlace(j *Job) (func() error, error) {
	q, err := queue.Create(j.Name, queueOptions(j, false))
	if err != nil {
		return nil, err
	}
	return func() error {
		r, err := q.Reserve(ctx, j.Size)
		if err != nil {
			return err
		}
		r.Bytes()[0] = 1
		if err := r.Commit(ctx); err != nil {
			return err
		}
		m, err := q.Lease(ctx)
		if err != nil {
			return err
		}
		runtime.KeepAlive(m.Bytes()[0])
		return m.Ack()
	}, nil
}

// chanLocal is the same with a channel, which copies the message into its
// buffer and out of it too.
func chanLocal(*Job) (func() error, error) {
	c := make(chan [64]byte, 1024)
	var msg, buf [64]byte
	return func() error {
		c <- msg
		buf = <-c
		runtime.KeepAlive(&buf)
		return nil
	}, nil
}
