//go:build !ipcbells

package socket

const bellsAtOnce = false
