//go:build !linux

package queue

import "runtime"

// yield lets other goroutines run.
func yield() { runtime.Gosched() }
