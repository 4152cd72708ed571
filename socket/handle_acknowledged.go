//go:build darwin || ipcportable

package socket

// handlesAreAcknowledged: a descriptor in flight needs its sender's copy open.
const handlesAreAcknowledged = true
