//go:build !darwin && !ipcportable

package socket

const handlesAreAcknowledged = false
