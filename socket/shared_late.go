//go:build !ipcshared

package socket

const sharedByDefault = 0
