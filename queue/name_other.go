//go:build !linux || ipcportable

package queue

// longNames is empty where shared memory has no directory, or not always the
// same.
const longNames = ""
