package main

import (
	"math"
	"slices"
)

// Spread is what several repetitions of one measurement gave.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// spread returns the median of values and how far they lie apart. Of an even
// number of values the median is the mean of the two in the middle.
func spread(values []float64) Spread {
	if len(values) == 0 {
		return Spread{Median: math.NaN(), Min: math.NaN(), Max: math.NaN()}
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return Spread{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1], N: n}
}

// percentile returns the smallest of the samples, which must be sorted, that is
// not below a share p of them (the nearest-rank method), 0 < p <= 1.
func percentile(sorted []int64, p float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
