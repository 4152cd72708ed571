package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// lookAtCores looks for half a millisecond. It is nil if there is one CPU only, or none
// to be had.
func lookAtCores() *cores {
	first, last, err := ends()
	if err != nil || first == last || runtime.GOMAXPROCS(0) == 1 {
		return nil
	}
	const (
		tries  = 5
		rounds = 60
	)
	var ball atomic.Uint64
	on := func(cpu int, side uint64) <-chan []float64 {
		result := make(chan []float64, 1)
		go func() {
			defer close(result)
			runtime.LockOSThread() // and never unlocked: the thread ends with its mask
			var one unix.CPUSet
			one.Set(cpu)
			if unix.SchedSetaffinity(0, &one) != nil {
				ball.Store(1 << 32) // the other side need not wait
				return
			}
			var line, loop []float64
			for range tries {
				line = append(line, perTurn(rounds, func() { pingPong(&ball, side, rounds) }))
				loop = append(loop, perTurn(turns, additions))
			}
			result <- []float64{least(line), least(loop)}
		}()
		return result
	}
	one, other := on(first, 0), on(last, 1)
	a, b := <-one, <-other
	if a == nil || b == nil {
		return nil
	}
	return &cores{Line: float64(int(a[0])), Loop: []float64{a[1], b[1]}}
}

// pingPong adds 1 to the ball rounds times, whenever the other side has.
func pingPong(ball *atomic.Uint64, side uint64, rounds int) {
	for range rounds {
		for n := ball.Load(); n%2 != side && n < 1<<32; n = ball.Load() {
		}
		ball.Add(1)
	}
}

const turns = 10000

var sink atomic.Uint64

// additions keeps four adders busy.
func additions() {
	a, b, c, d := uint64(1), uint64(2), uint64(3), uint64(4)
	for range turns {
		a += a<<3 ^ 5
		b += b<<3 ^ 6
		c += c<<3 ^ 7
		d += d<<3 ^ 8
	}
	sink.Add(a + b + c + d)
}

// perTurn returns how many ns each of n turns takes that do makes.
func perTurn(n int, do func()) float64 {
	begin := time.Now()
	do()
	return float64(time.Since(begin).Nanoseconds()) / float64(n)
}

// least returns the least, to two digits behind the point.
func least(all []float64) float64 {
	m := all[0]
	for _, x := range all {
		m = min(m, x)
	}
	return float64(int(100*m)) / 100
}
