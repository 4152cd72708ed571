package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
)

// The try that was disturbed least counts, whatever it measured, and a failure counts in
// any case.
func TestUndisturbed(t *testing.T) {
	const much, little, none = 10 * time.Hour, 4 * time.Hour, time.Hour // of a hundred
	failed := errors.New("failed")
	for name, c := range map[string]struct {
		stolen []time.Duration // during each try
		errs   []error
		grown  []int64 // of a CPU's list
		counts float64 // the try
		tries  int
	}{
		"ours":               {stolen: []time.Duration{none}, counts: 0, tries: 1},
		"ours at last":       {stolen: []time.Duration{much, none}, counts: 1, tries: 2},
		"never ours":         {stolen: []time.Duration{much, little, much}, counts: 1, tries: 3},
		"best at first":      {stolen: []time.Duration{little, much, much}, counts: 0, tries: 3},
		"new pages":          {stolen: []time.Duration{none, none}, grown: []int64{grownLimit + 1, grownLimit}, counts: 1, tries: 2},
		"both":               {stolen: []time.Duration{none, little, none}, grown: []int64{9 * grownLimit, 0, 2 * grownLimit}, counts: 1, tries: 3},
		"failed":             {stolen: []time.Duration{much}, errs: []error{failed}, counts: 0, tries: 1},
		"failed later, more": {stolen: []time.Duration{little, much}, errs: []error{nil, failed}, counts: 1, tries: 2},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var sum, total time.Duration
			var lists int64
			var tries, filled int
			var others []float64
			took, err := undisturbed(t.Context(), func() machineState { return machineState{stolen: sum, all: total, lists: []pageList{{has: lists}}} }, func() { filled++ }, func() (res Result, err error) {
				sum += c.stolen[tries]
				total += 100 * time.Hour
				if tries < len(c.grown) {
					lists += c.grown[tries]
				}
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
			new := 0
			for _, n := range c.grown {
				if n > grownLimit {
					new++
				}
			}
			is.Equal(filled, new) // only where it was needed
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
	stolen := func() machineState { return machineState{stolen: sum, all: 2 * sum} }
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
