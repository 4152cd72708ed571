package main

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestForeign(t *testing.T) {
	for name, c := range map[string]struct {
		machine, run time.Duration
		want         float64
		known        bool
	}{
		"alone":            {10 * time.Second, 10 * time.Second, 0, true},
		"half of one of 2": {15 * time.Second, 10 * time.Second, 0.25, true},
		"rounding":         {9 * time.Second, 10 * time.Second, 0, true},
		"unknown":          {0, 10 * time.Second, 0, false},
	} {
		is := is.New(t)
		got, known := foreign(usage{time.Minute, time.Hour}, usage{time.Minute + c.machine, time.Hour + c.run}, 10*time.Second, 2)
		if got != c.want || known != c.known {
			t.Errorf("%s: %v, %v", name, got, known)
		}
		is.True(got >= 0)
	}
}

// The kernel counts what this process does, both ways.
func TestCPUUsage(t *testing.T) {
	is := is.New(t)
	from := cpuUsage()
	for begin := time.Now(); cpuUsage().run-from.run < 50*time.Millisecond; {
		is.True(time.Since(begin) < time.Minute) // a process that computes gets CPU time
	}
	is.True(cpuUsage().machine > from.machine || from.machine == 0)
}
