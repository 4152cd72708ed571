//go:build !ipcportable

package acl

import "golang.org/x/sys/unix"

// watchOpenFlags open a file for its events alone: the volume can be unmounted.
const watchOpenFlags = unix.O_EVTONLY
