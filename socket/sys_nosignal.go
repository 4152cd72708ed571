//go:build unix && !linux && !darwin

package socket

// sendFlags is MSG_NOSIGNAL where x/sys names it; Go's runtime ignores the
// signal on descriptors beyond 2 anyway.
const sendFlags = 0

func noSigpipe(int) error { return nil }
