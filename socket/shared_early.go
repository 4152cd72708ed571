//go:build ipcshared

package socket

// sharedByDefault gives shared memory to every connection that does not say otherwise, for
// the tests.
const sharedByDefault = 64 << 10
