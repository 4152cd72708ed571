//go:build !ipcportable

package socket

// heldFiles is empty: on Linux a descriptor in flight lives by itself.
type heldFiles struct{}

func (*heldFiles) hold([]int) error { return nil }
func (*heldFiles) release()         {}
