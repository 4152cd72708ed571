//go:build !ipcportable

package acl

import "golang.org/x/sys/unix"

const watchOpenFlags = unix.O_RDONLY
