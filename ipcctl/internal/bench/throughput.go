package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/ipcctl/ipc/queue"
)

// Load is what a measurement of throughput puts on a mechanism.
type Load struct {
	Mechanism            string
	Size, Batch          int
	Producers, Consumers int // for a queue; else one of each
	Duration             time.Duration
}

// MeasureThroughput sends messages one way for about that long.
func MeasureThroughput(ctx context.Context, self string, load Load, progress func(float64)) (Throughput, error) {
	var (
		n    int
		took time.Duration
		err  error
	)
	stop := watch(load.Duration, progress)
	defer stop()
	if load.Mechanism == "queue" {
		n, took, err = throughQueue(ctx, self, load)
	} else {
		n, took, err = throughLine(ctx, self, load)
	}
	if err != nil {
		return Throughput{}, err
	}
	rate := float64(n) / took.Seconds()
	return Throughput{
		Mechanism: load.Mechanism, Size: load.Size, Batch: load.Batch, Producers: load.Producers, Consumers: load.Consumers,
		Messages: n, Seconds: took.Seconds(), PerSecond: rate, Bytes: rate * float64(load.Size),
	}, nil
}

// watch reports the progress of something that takes a known time.
func watch(d time.Duration, progress func(float64)) (stop func()) {
	done, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		begin, tick := time.Now(), time.NewTicker(100*time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				progress(min(time.Since(begin).Seconds()/d.Seconds(), 1))
			}
		}
	}()
	return func() { close(done); <-ended }
}

// throughLine has this process send and a peer receive: it says with one
// message back when it has everything.
func throughLine(ctx context.Context, self string, load Load) (int, time.Duration, error) {
	l, files, err := pair(load.Mechanism, load.Size, 0)
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	p, err := start(self, files, "consume", load.Mechanism)
	for _, f := range files {
		f.Close()
	}
	if err != nil {
		return 0, 0, err
	}
	n, took, err := pump(ctx, l, load)
	if ended := p.end(); err != nil && ended != nil {
		err = ended
	}
	return n, took, err
}

func pump(ctx context.Context, l line, load Load) (n int, took time.Duration, err error) {
	msg := bytes.Repeat([]byte("x"), load.Size)
	begin := time.Now()
	for time.Since(begin) < load.Duration {
		for range 64 {
			if err := l.send(ctx, msg); err != nil {
				return 0, 0, err
			}
			n++
		}
	}
	if err := l.send(ctx, nil); err != nil { // an empty message is the end
		return 0, 0, err
	}
	if _, err := l.recv(ctx); err != nil {
		return 0, 0, err
	}
	return n, time.Since(begin), nil
}

// throughQueue has separate producers and consumers share one queue.
func throughQueue(ctx context.Context, self string, load Load) (int, time.Duration, error) {
	q, err := queue.Anonymous(&queue.Options{Capacity: 1024, MaxMessage: max(load.Size, 1), EntrySize: min(max(load.Size*load.Batch, 1), 64<<10)})
	if err != nil {
		return 0, 0, err
	}
	defer q.Close()
	files := []*os.File{q.File()}
	var producers, consumers []*peer
	defer func() {
		for _, p := range append(producers, consumers...) {
			p.end()
		}
	}()
	for range load.Consumers {
		p, err := start(self, files, "consume", "queue")
		if err != nil {
			return 0, 0, err
		}
		consumers = append(consumers, p)
	}
	for range load.Producers {
		p, err := start(self, files, "produce", strconv.Itoa(load.Size), strconv.Itoa(load.Batch), load.Duration.String())
		if err != nil {
			return 0, 0, err
		}
		producers = append(producers, p)
	}
	begin := time.Now()
	n := 0
	for _, p := range producers {
		k, err := p.count(ctx)
		if err != nil {
			return 0, 0, err
		}
		n += k
	}
	if err := q.CloseWrite(); err != nil {
		return 0, 0, err
	}
	got := 0
	for _, p := range consumers {
		k, err := p.count(ctx)
		if err != nil {
			return 0, 0, err
		}
		got += k
	}
	if got != n {
		return 0, 0, fmt.Errorf("%d messages were put and %d arrived", n, got)
	}
	return n, time.Since(begin), nil
}

// count waits for the number that a peer reports in the end.
func (p *peer) count(ctx context.Context) (n int, err error) {
	stop := context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })
	defer stop()
	if _, err := fmt.Fscan(p.out, &n); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if ended := p.end(); ended != nil {
			return 0, ended
		}
		return 0, fmt.Errorf("a peer ended before its report: %w", err)
	}
	return n, nil
}

// produce puts messages of args[0] bytes, args[1] at a time, for args[2].
func produce(ctx context.Context, args []string) error {
	size, err1 := strconv.Atoi(args[0])
	batch, err2 := strconv.Atoi(args[1])
	d, err3 := time.ParseDuration(args[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	q, err := queue.FromFile(os.NewFile(3, "queue"))
	if err != nil {
		return err
	}
	defer q.Close()
	msg := bytes.Repeat([]byte("x"), size)
	msgs := make([][]byte, batch)
	for i := range msgs {
		msgs[i] = msg
	}
	n := 0
	for begin := time.Now(); time.Since(begin) < d; {
		for range 64 {
			if batch == 1 {
				err = q.Put(ctx, msg)
			} else {
				_, err = q.PutBatch(ctx, msgs)
			}
			if err != nil {
				return err
			}
			n += batch
		}
	}
	fmt.Println(n)
	return nil
}

// consume receives everything and counts it.
func consume(ctx context.Context, mechanism string) error {
	if mechanism != "queue" {
		l, err := inherited(mechanism, 1<<30, 0)
		if err != nil {
			return err
		}
		defer l.Close()
		for {
			msg, err := l.recv(ctx)
			if err != nil {
				return err
			}
			if len(msg) == 0 {
				return l.send(ctx, []byte("!"))
			}
		}
	}
	q, err := queue.FromFile(os.NewFile(3, "queue"))
	if err != nil {
		return err
	}
	defer q.Close()
	var batch queue.Batch
	for n := 0; ; {
		err := q.GetBatchInto(ctx, &batch, 256)
		n += len(batch.Messages())
		if errors.Is(err, io.EOF) {
			fmt.Println(n)
			return nil
		}
		if err != nil {
			return err
		}
	}
}
