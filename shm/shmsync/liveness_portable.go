//go:build unix && (!linux || ipcportable)

package shmsync

import "os"

func openLocks(f *os.File) (locks, error) { return openFlocks(f) }
