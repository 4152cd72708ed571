//go:build !linux

package socket

// yield does nothing: the spin is short, and then the process sleeps.
func yield() {}
