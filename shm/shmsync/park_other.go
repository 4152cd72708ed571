//go:build (!linux && !darwin) || ipcportable

package shmsync

func newParker() parker { return newPollParker() }
