//go:build unix && !linux && !darwin

package socket

// controlAtEnd: a read that takes descriptors begins with the data they came
// with (soreceive of the BSDs).
const controlAtEnd = false

// sendFlags is MSG_NOSIGNAL where x/sys names it; Go's runtime ignores the
// signal on descriptors beyond 2 anyway.
const sendFlags = 0

func sysNoExtras(int) bool { return false }
