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
)

// warmUp is how many round trips come before those that count.
const warmUp = 200

// MeasureLatency sends messages of that size to another process and back, for
// about that long. progress is told what part is done.
func MeasureLatency(ctx context.Context, self, mechanism string, size int, d, spin time.Duration, progress func(float64)) (Latency, error) {
	l, files, err := pair(mechanism, size, spin)
	if err != nil {
		return Latency{}, err
	}
	defer l.Close()
	p, err := start(self, files, "echo", mechanism, strconv.Itoa(size), spin.String())
	if mechanism != "queue" { // a queue's files belong to it
		for _, f := range files {
			f.Close()
		}
	}
	if err != nil {
		return Latency{}, err
	}
	took, err := roundTrips(ctx, l, size, d, progress)
	// The peer's own words say more than that it is gone.
	if ended := p.end(); err != nil && ended != nil {
		err = ended
	}
	if err != nil {
		return Latency{}, err
	}
	return NewLatency(mechanism, size, took), nil
}

func roundTrips(ctx context.Context, l line, size int, d time.Duration, progress func(float64)) ([]time.Duration, error) {
	msg := bytes.Repeat([]byte("x"), size)
	var took []time.Duration
	begin := time.Now()
	for i := 0; ; i++ {
		before := time.Now()
		if err := l.send(ctx, msg); err != nil {
			return nil, err
		}
		back, err := l.recv(ctx)
		if err != nil {
			return nil, err
		}
		after := time.Now()
		if len(back) != size {
			return nil, fmt.Errorf("%d bytes came back, want %d", len(back), size)
		}
		if i < warmUp {
			begin = after
			continue
		}
		took = append(took, after.Sub(before))
		if i%1000 == 0 {
			progress(min(after.Sub(begin).Seconds()/d.Seconds(), 1))
		}
		if after.Sub(begin) >= d {
			return took, nil
		}
	}
}

// echo is the role of the peer that sends everything back.
func echo(ctx context.Context, args []string) error {
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	spin, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	l, err := inherited(args[0], size, spin)
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		msg, err := l.recv(ctx)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.send(ctx, msg); err != nil {
			return err
		}
	}
}

// Play acts as a peer: the hidden verb bench-peer.
func Play(ctx context.Context, args []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	switch {
	case len(args) == 4 && args[0] == "echo":
		return echo(ctx, args[1:])
	case len(args) == 4 && args[0] == "produce":
		return produce(ctx, args[1:])
	case len(args) == 2 && args[0] == "consume":
		return consume(ctx, args[1])
	}
	return fmt.Errorf("no role %q", args)
}

// Intrinsic measures the machine itself: a process that does nothing but look
// at the clock, and what keeps it from it. Every latency has this noise in it.
func Intrinsic(ctx context.Context, d time.Duration, progress func(float64)) Latency {
	var took []time.Duration
	begin := time.Now()
	last := begin
	for i := 0; ctx.Err() == nil; i++ {
		now := time.Now()
		if len(took) < 1<<22 {
			took = append(took, now.Sub(last))
		} else if gap := now.Sub(last); gap > 10*time.Microsecond {
			took[i&(1<<22-1)] = gap // what is rare must not be missed
		}
		last = now
		if i%100_000 == 0 {
			progress(min(now.Sub(begin).Seconds()/d.Seconds(), 1))
		}
		if now.Sub(begin) >= d {
			break
		}
	}
	return NewLatency("intrinsic", 0, took)
}
