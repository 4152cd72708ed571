//go:build linux && !ipcportable

package pipe

// What this system can do and others can't.
const (
	canProve  = true
	canSplice = true
)
