//go:build !ipcportable

package socket

// allocations is how many a message costs, sent and received.
const allocations = 0
