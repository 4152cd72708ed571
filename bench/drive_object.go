package main

import (
	"slices"
	"time"
)

// An object is what processes make to reach each other.
type object struct {
	// create makes it and returns how to let go of it.
	create func(j *Job) (closer func() error, err error)
	// open opens it beside its maker, once more in this process, and returns
	// how to let go of that; nil: there is nothing to open.
	open func(j *Job) (closer func() error, err error)
	// remove removes its name, after its maker let go of it; nil: letting go
	// removes it.
	remove func(j *Job) error
}

// timeObject makes, opens, closes and removes an object, again and again. It
// times each step; closing is that of what was opened, or else of the object.
func timeObject(o *object, j *Job) (Result, error) {
	var create, open, close_, remove []int64
	timed := func(into *[]int64, step func() error) error {
		from := time.Now()
		err := step()
		*into = append(*into, int64(time.Since(from)))
		return err
	}
	var before uint64
	start := time.Now()
	for n := 0; n < 4 || time.Since(start) < j.length(); n++ {
		if n == 1 { // what is made once for all has been made
			before = mallocs()
		}
		var made, opened func() error
		err := timed(&create, func() (err error) {
			made, err = o.create(j)
			return err
		})
		if err != nil {
			return Result{}, err
		}
		if o.open != nil {
			err = timed(&open, func() (err error) {
				opened, err = o.open(j)
				return err
			})
			if err != nil {
				return Result{}, err
			}
			if err := timed(&close_, opened); err != nil {
				return Result{}, err
			}
		}
		switch {
		case o.remove == nil:
			err = timed(&remove, made)
		case o.open == nil:
			err = timed(&close_, made)
		default:
			err = made()
		}
		if err == nil && o.remove != nil {
			err = timed(&remove, func() error { return o.remove(j) })
		}
		if err != nil {
			return Result{}, err
		}
	}
	n := len(create)
	allocs := float64(mallocs()-before) / float64(n-1)
	median := func(samples []int64) float64 {
		slices.Sort(samples)
		return float64(percentile(samples, 0.5))
	}
	s := &Steps{Create: median(create), Open: median(open), Close: median(close_), Remove: median(remove)}
	return Result{P50: s.Create + s.Open + s.Close + s.Remove, Count: int64(n), Allocs: allocs, Steps: s}, nil
}
