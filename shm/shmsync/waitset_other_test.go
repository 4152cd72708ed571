//go:build !linux || ipcportable

package shmsync

func newSlicedWaitSet() *WaitSet { return NewWaitSet() }

func isSliced(*WaitSet) bool { return false }
