//go:build !linux || ipcportable

package socket

const (
	hasAbstract = false
	maxSunPath  = 103 // sockaddr_un.sun_path less a NUL byte
)
