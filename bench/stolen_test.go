package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
)

// The try with the least stolen counts, whatever it measured, and a failure counts in
// any case.
func TestUndisturbed(t *testing.T) {
	const much, little, none = 10 * time.Hour, 4 * time.Hour, time.Hour // of a hundred
	failed := errors.New("failed")
	for name, c := range map[string]struct {
		stolen []time.Duration // during each try
		errs   []error
		counts float64 // the try
		tries  int
	}{
		"ours":               {stolen: []time.Duration{none}, counts: 0, tries: 1},
		"ours at last":       {stolen: []time.Duration{much, none}, counts: 1, tries: 2},
		"never ours":         {stolen: []time.Duration{much, little, much}, counts: 1, tries: 3},
		"best at first":      {stolen: []time.Duration{little, much, much}, counts: 0, tries: 3},
		"failed":             {stolen: []time.Duration{much}, errs: []error{failed}, counts: 0, tries: 1},
		"failed later, more": {stolen: []time.Duration{little, much}, errs: []error{nil, failed}, counts: 1, tries: 2},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var sum, total time.Duration
			var tries int
			var others []float64
			took, err := undisturbed(t.Context(), func() (stolen, all time.Duration) { return sum, total }, func() {
				sum += time.Hour // is none of the measurement's
				total += time.Hour
			}, func() (res Result, err error) {
				sum += c.stolen[tries]
				total += 100 * time.Hour
				res.Rate = float64(tries)
				if tries < len(c.errs) {
					err = c.errs[tries]
				}
				tries++
				return res, err
			}, func(is try) error { others = append(others, is.res.Rate); return nil })
			is.NoErr(err)
			is.Equal(tries, c.tries)
			is.Equal(took.res.Rate, c.counts)
			is.Equal(len(others), c.tries-1) // the others are kept too
			for _, rate := range others {
				is.True(rate != c.counts)
			}
		})
	}
}

// A run that is called off ends; the try that it interrupts does not count, nor instead
// of another.
func TestUndisturbedEnds(t *testing.T) {
	is := is.New(t)
	var sum time.Duration
	stolen := func() (time.Duration, time.Duration) { return sum, 2 * sum }
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	_, err := undisturbed(ctx, stolen, func() {}, func() (Result, error) {
		sum += time.Hour
		if tries++; tries == 2 {
			cancel()
			return Result{}, errors.New("killed")
		}
		return Result{}, nil
	}, func(try) error { t.Error("a try was said to be replaced"); return nil })
	is.Equal(err, context.Canceled)
	is.Equal(tries, 2)
	full := errors.New("no space left")
	_, err = undisturbed(t.Context(), stolen, func() {},
		func() (Result, error) { sum += time.Hour; return Result{}, nil }, func(try) error { return full })
	is.Equal(err, full)
}
