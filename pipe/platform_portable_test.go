//go:build unix && (!linux || ipcportable)

package pipe

// What this system can't do.
const (
	canProve  = false
	canSplice = false
)
