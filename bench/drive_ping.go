package main

import (
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

func drivePing(m *mechanism, j *Job) (Result, error) {
	files, err := twoPipes()
	if err != nil {
		return Result{}, err
	}
	server, err := startRole("serve", j, files)
	if err != nil {
		return Result{}, err
	}
	defer server.kill()
	if err := server.ready(); err != nil {
		return Result{}, err
	}
	if err := j.apart(os.Getpid(), server.cmd.Process.Pid); err != nil {
		return Result{}, err
	}
	call, err := m.ping.dial(j)
	if err != nil {
		return Result{}, err
	}
	msg := make([]byte, j.Size)
	for i := range msg {
		msg[i] = byte(i) | 1
	}
	if j.Work == InFlight {
		return timeInFlight(call, msg, j.length())
	}
	return timeRoundTrips(func() error { return call(msg) }, j)
}

// timeRoundTrips makes round trips one after the other. A pause before each is
// spent computing, not sleeping, so that only the other side is asleep; where
// that one pauses before it answers (think), its pause is no part of the figure.
func timeRoundTrips(call func() error, j *Job) (Result, error) {
	length, pause, think := j.length(), time.Duration(0), time.Duration(0)
	if j.Work == Paced || j.Work == Asleep {
		pause = pauseMicros * time.Microsecond
	}
	if j.Work == Asleep {
		think = pause
	}
	samples := make([]int64, 0, 1<<20)
	clear(samples[:cap(samples)]) // have its pages before the clock runs
	start := time.Now()
	var before uint64
	for warm := true; len(samples) < cap(samples); {
		from := time.Since(start)
		for until := from + pause; from < until; {
			from = time.Since(start)
		}
		if err := call(); err != nil {
			return Result{}, err
		}
		now := time.Since(start)
		if warm {
			if now > length/5 {
				warm, before = false, mallocs()
				length += now
			}
			continue
		}
		samples = append(samples, int64(now-from-think))
		if now > length && len(samples) > 0 {
			break
		}
	}
	allocs := float64(mallocs()-before) / float64(len(samples))
	slices.Sort(samples)
	return Result{
		P50: float64(percentile(samples, 0.5)), P99: float64(percentile(samples, 0.99)), P999: float64(percentile(samples, 0.999)),
		Count: int64(len(samples)), Allocs: allocs,
	}, nil
}

func timeInFlight(call func([]byte) error, msg []byte, length time.Duration) (Result, error) {
	var stop, count atomic.Bool
	var total atomic.Int64
	errs := make(chan error, flying)
	for range flying {
		go func() {
			var n int64
			own := slices.Clone(msg)
			for !stop.Load() {
				if err := call(own); err != nil {
					errs <- err
					return
				}
				if count.Load() {
					n++
				}
			}
			total.Add(n)
			errs <- nil
		}()
	}
	time.Sleep(length / 5)
	before, start := mallocs(), time.Now()
	count.Store(true)
	time.Sleep(length)
	stop.Store(true)
	var err error
	for range flying {
		err = errors.Join(err, <-errs)
	}
	took, n := time.Since(start), total.Load()
	return Result{Rate: float64(n) / took.Seconds(), Count: n, Allocs: float64(mallocs()-before) / float64(n)}, err
}

// think is what a server does between a message and its answer: nothing, or, if
// the caller is to fall asleep, computing.
func (j *Job) think() {
	if j.Work != Asleep {
		return
	}
	for begin := time.Now(); time.Since(begin) < pauseMicros*time.Microsecond; {
	}
}
