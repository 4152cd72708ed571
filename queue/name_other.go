//go:build !linux || ipcportable

package queue

// longNames is empty where no directory holds the queues under their names
// alone: package shm has a record for each.
const longNames = ""
