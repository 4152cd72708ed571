package main

import (
	"math"
	"testing"

	"github.com/matryer/is"
)

func TestSpread(t *testing.T) {
	for name, c := range map[string]struct {
		in   []float64
		want Spread
	}{
		"one":          {[]float64{3}, Spread{3, 3, 3, 1}},
		"odd":          {[]float64{9, 1, 5}, Spread{5, 1, 9, 3}},
		"even":         {[]float64{4, 1, 2, 9}, Spread{3, 1, 9, 4}},
		"one far away": {[]float64{1, 1, 1000}, Spread{1, 1, 1000, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			in := append([]float64(nil), c.in...)
			is.Equal(spread(c.in), c.want)
			is.Equal(c.in, in) // the caller's order stays
		})
	}
	is := is.New(t)
	is.True(math.IsNaN(spread(nil).Median)) // nothing measured is not zero
}

func TestPercentile(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	for _, c := range []struct {
		samples []int64
		p       float64
		want    int64
	}{
		{nil, 0.5, 0},
		{[]int64{7}, 0.5, 7},
		{[]int64{7}, 0.999, 7},
		{[]int64{1, 2}, 0.5, 1},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 0.999, 100},
		{hundred, 1, 100},
	} {
		is := is.New(t)
		is.Equal(percentile(c.samples, c.p), c.want) // nearest rank
	}
}
