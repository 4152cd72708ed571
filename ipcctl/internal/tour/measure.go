package tour

import (
	"fmt"
	"slices"
	"time"
)

// p50 calls f n times and returns the median of how long it took.
func p50(n int, f func() error) (time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return took[n/2], nil
}

// perSecond writes a rate as people read it: 1.2 M/s, 840 k/s.
func perSecond(n int, took time.Duration) string {
	rate := float64(n) / took.Seconds()
	switch {
	case rate >= 1e6:
		return fmt.Sprintf("%.1f M/s", rate/1e6)
	case rate >= 1e3:
		return fmt.Sprintf("%.0f k/s", rate/1e3)
	}
	return fmt.Sprintf("%.0f /s", rate)
}

// short writes a duration with at most three digits: 14.2 µs, 38 ns.
func short(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
