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

// cpuUsage looks.
func cpuUsage() (u usage) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if unix.Getrusage(who, &r) == nil {
			u.run += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	for i, spent := range cpuTimes() {
		if i != cpuIdle && i != cpuWaits {
			u.machine += spent
		}
	}
	return u
}

// stolenTime returns the time that the hypervisor has given to others, and all time, of
// all CPUs.
func stolenTime() (stolen, all time.Duration) {
	times := cpuTimes()
	for _, spent := range times {
		all += spent
	}
	return times[cpuStolen], all
}

// Fields of cpuTimes.
const (
	cpuIdle   = 3
	cpuWaits  = 4 // for input and output
	cpuStolen = 7
)

// cpuTimes returns what all CPUs together have spent how long on: user nice system idle
// iowait irq softirq steal. Source: proc_stat(5); its unit is 10 ms on every Linux that
// Go runs on. Where that is unknown, all are 0.
func cpuTimes() (times [8]time.Duration) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return times
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	for i := range times {
		if i+1 < len(fields) {
			if n, err := strconv.ParseInt(fields[i+1], 10, 64); err == nil {
				times[i] = time.Duration(n) * 10 * time.Millisecond
			}
		}
	}
	return times
}
