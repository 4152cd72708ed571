//go:build !linux || ipcportable

package socket

// allocations is how many a message costs, sent and received: x/sys makes one
// for the buffers of sendmsg.
const allocations = 1
