// Package queue is part of the ipc workspace.
package queue
