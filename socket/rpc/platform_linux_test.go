//go:build !ipcportable

package rpc

// looksAllocate: each look at a socket that is polled.
const looksAllocate = false
