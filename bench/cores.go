package main

import (
	"fmt"
	"slices"
)

// Two things change a figure two to six times without a CPU being stolen, and no process
// here can see them in /proc: how far apart the hypervisor has put the two CPUs (two
// threads of one core, two cores with one cache, two sockets), and whether another machine
// runs on the other thread of a core. Both last for seconds. So each repetition says where
// it took place, and the report how often that was where.

// cores is what the CPUs were like right before a repetition.
type cores struct {
	Line float64   `json:"line"` // ns that a cache line takes from the first CPU to the last and back
	Loop []float64 `json:"loop"` // ns that a turn of a loop of additions takes on either, at the same time
}

// sharedCore is by how much more than the shortest time that was seen a turn of the loop
// takes where something else is on the core: half as much again at least, as a rule.
const sharedCore = 1.15

// coresText says how far apart the CPUs were, and how often a core was shared. It is empty
// if that is not known.
func coresText(all []cores) string {
	if len(all) == 0 {
		return ""
	}
	var lines []float64
	best := all[0].Loop[0]
	for _, c := range all {
		lines = append(lines, c.Line)
		best = min(best, slices.Min(c.Loop))
	}
	shared := 0
	for _, c := range all {
		if slices.Max(c.Loop) > sharedCore*best {
			shared++
		}
	}
	slices.Sort(lines)
	at := func(q float64) float64 { return lines[int(q*float64(len(lines)-1))] }
	return fmt.Sprintf(" A cache line took %.0f ns from the first CPU to the last and back in the median, %.0f in the fastest tenth, %.0f in the slowest. "+
		"Before %.0f%% of the repetitions something else was on the core of one of them, another machine or the other of the two: a loop took more than %.0f%% longer than at best.",
		at(0.5), at(0.1), at(0.9), 100*float64(shared)/float64(len(all)), 100*(sharedCore-1))
}
