//go:build !linux || ipcportable

package shmsync

func newParker() parker { return newPollParker() }

const hasFutex = false
