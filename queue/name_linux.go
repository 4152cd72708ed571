//go:build linux && !ipcportable

package queue

// longNames is where package shm keeps shared memory. Names that are too long
// for it, with their prefix, are paths there.
const longNames = "/dev/shm/"
