package main

import (
	"runtime"
	"slices"
	"time"
)

// timeLocal times what needs no other process.
func timeLocal(op func() error, length time.Duration) (Result, error) {
	// Clock reads cost as much as a decision: time rounds of about 50 us.
	round := 1
	for {
		start := time.Now()
		for range round {
			if err := op(); err != nil {
				return Result{}, err
			}
		}
		if took := time.Since(start); took > 50*time.Microsecond || round > 1<<20 {
			break
		}
		round *= 2
	}
	var samples []int64
	before, n, start := mallocs(), int64(0), time.Now()
	for time.Since(start) < length || len(samples) < 3 {
		from := time.Now()
		for range round {
			if err := op(); err != nil {
				return Result{}, err
			}
		}
		samples = append(samples, int64(time.Since(from))*1000/int64(round))
		n += int64(round)
	}
	took, allocs := time.Since(start), float64(mallocs()-before)/float64(n)
	slices.Sort(samples)
	return Result{P50: float64(percentile(samples, 0.5)) / 1000, P99: float64(percentile(samples, 0.99)) / 1000, Rate: float64(n) / took.Seconds(), Count: n, Allocs: allocs}, nil
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
