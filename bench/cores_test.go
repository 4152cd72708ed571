package main

import (
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestLookAtCores(t *testing.T) {
	is := is.New(t)
	c := lookAtCores()
	if runtime.GOOS == "linux" && runtime.GOMAXPROCS(0) > 1 && runtime.NumCPU() > 1 {
		is.True(c != nil)
	}
	if c == nil {
		return
	}
	is.True(c.Line > 0)
	is.Equal(len(c.Loop), 2)
	is.True(c.Loop[0] > 0 && c.Loop[1] > 0)
}

func TestCoresText(t *testing.T) {
	is := is.New(t)
	is.Equal(coresText(nil), "")
	text := coresText([]cores{
		{Line: 400, Loop: []float64{1, 1}},
		{Line: 60, Loop: []float64{1.1, 1.1}},
		{Line: 100, Loop: []float64{1, 2}},
		{Line: 100, Loop: []float64{1.2, 1}},
	})
	is.True(strings.Contains(text, "100 ns"))
	is.True(strings.Contains(text, "50% of the repetitions"))
}
