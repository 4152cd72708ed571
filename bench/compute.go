package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"
)

// Programs that compute, one for each CPU, beside a repetition: what a machine is like
// that has other things to do.

// compute is the main function of one. It ends when it is killed, or else by itself.
func compute(j *Job, ready func()) error {
	ready()
	var sum uint64
	for end := time.Now().Add(time.Minute + 3*j.length()); time.Now().Before(end); {
		for n := range uint64(1 << 16) {
			sum += n * sum
		}
	}
	_, err := fmt.Fprintln(os.Stderr, sum)
	return err
}

// computing starts one for each CPU; the caller calls stop, in any case.
func computing(ctx context.Context, j *Job) (stop func(), err error) {
	var all []*process
	stop = func() {
		for _, p := range all {
			p.kill()
		}
	}
	for range runtime.NumCPU() {
		p, err := startRole("compute", j, nil)
		if err != nil {
			return stop, err
		}
		all = append(all, p)
		if err := p.ready(); err != nil {
			return stop, err
		}
	}
	return stop, ctx.Err()
}
