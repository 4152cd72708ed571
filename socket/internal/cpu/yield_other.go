//go:build !linux

// Package cpu gives the CPU away.
package cpu

// Yield does nothing: who polls does so for a short time, and then sleeps.
func Yield() {}
