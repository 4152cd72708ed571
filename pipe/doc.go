// Package pipe is part of the ipc workspace.
package pipe
