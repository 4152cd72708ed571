//go:build !linux || ipcportable

package socket

const (
	hasAbstract = false
	maxSunPath  = 103 // sun_path[104] less a NUL byte: sys/un.h of XNU, FreeBSD and OpenBSD
)

func everyUserHasAnID() bool { return true }
