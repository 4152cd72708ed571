//go:build !amd64

package cpu

// CopyOver is copy.
func CopyOver(dst, src []byte) int { return copy(dst, src) }
