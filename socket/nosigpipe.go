//go:build unix && !darwin && (!linux || ipcportable)

package socket

// noSigpipe: sendFlags does it for each call.
func noSigpipe(int) error { return nil }
