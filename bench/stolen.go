package main

import (
	"context"
	"time"
)

// A hypervisor gives the CPUs of a virtual machine to others now and then, for
// milliseconds at a time, and in some minutes for half of the time. A repetition that
// meets this measures the hypervisor: one side waits for the other's CPU. So it is made
// again, and so is one that met new pages (pages.go). Which of the tries counts is not
// decided by its result, but by how much it was disturbed.
const (
	stolenLimit = 0.03 // of the CPUs
	stolenTries = 3
)

// machineState is what disturbs a repetition, so far.
type machineState struct {
	stolen, all time.Duration // of all CPUs
	lists       []pageList    // of each CPU
}

func lookAtMachine() (m machineState) {
	m.stolen, m.all = stolenTime()
	m.lists = pageLists()
	return m
}

// A try is one measurement for a repetition.
type try struct {
	res    Result
	err    error
	cores  *cores  // before it, if known
	stolen float64 // share of the CPUs that the hypervisor gave to others meanwhile
	grown  int64   // bytes by which a CPU's list of free pages has grown (pages.go)
}

// disturbed returns how much the try was disturbed; more than 1 is too much.
func (t try) disturbed() float64 {
	return max(t.stolen/stolenLimit, float64(t.grown)/grownLimit)
}

// undisturbed measures until the machine was ours, but at most stolenTries times, and
// gives done each try but the one that counts, which it returns: one that failed, else
// the one that was disturbed least. look tells what the machine has done so far, and fill
// sees to it that the next try meets no new pages.
func undisturbed(ctx context.Context, look func() machineState, fill func(), measure func() (Result, error), done func(try) error) (best try, err error) {
	for n := range stolenTries {
		t := try{cores: lookAtCores()}
		before := look()
		t.res, t.err = measure()
		if ctx.Err() != nil {
			return best, ctx.Err()
		}
		after := look()
		if after.all > before.all {
			t.stolen = float64(after.stolen-before.stolen) / float64(after.all-before.all)
		}
		if t.grown = grown(before.lists, after.lists); t.grown > grownLimit {
			fill()
		}
		worse := t
		if n == 0 || t.err != nil || t.disturbed() < best.disturbed() {
			best, worse = t, best
		}
		if n > 0 {
			if err := done(worse); err != nil {
				return best, err
			}
		}
		if best.disturbed() <= 1 || best.err != nil {
			break
		}
	}
	return best, nil
}
