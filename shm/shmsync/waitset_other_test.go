//go:build (!linux && !darwin) || ipcportable

package shmsync

func platformParkers() map[string]func() *WaitSet { return nil }

func isSliced(*WaitSet) bool { return false }
