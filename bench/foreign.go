package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is the CPU time that the whole machine, and this run, have spent.
type usage struct{ machine, run time.Duration }

// foreign returns which share of the machine's CPUs others used between two
// looks, from 0 to 1, and whether that is known. Time that the hypervisor gave
// to somebody else counts as theirs.
func foreign(from, to usage, took time.Duration, cpus int) (float64, bool) {
	busy := to.machine - from.machine
	if busy <= 0 || took <= 0 {
		return 0, false
	}
	return max(0, (busy-(to.run-from.run)).Seconds()/(took.Seconds()*float64(cpus))), true
}

// cpuUsage looks. Source: proc_stat(5); its unit is 10 ms on every Linux that
// Go runs on.
func cpuUsage() (u usage) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if unix.Getrusage(who, &r) == nil {
			u.run += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return u
	}
	line, _, _ := strings.Cut(string(text), "\n")
	// cpu user nice system idle iowait irq softirq steal …
	for i, f := range strings.Fields(line) {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil && i <= 8 && i != 4 && i != 5 {
			u.machine += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return u
}
