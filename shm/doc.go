// Package shm is part of the ipc workspace.
package shm
