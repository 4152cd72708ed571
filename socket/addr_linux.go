//go:build !ipcportable

package socket

const (
	hasAbstract = true
	maxSunPath  = 107 // sockaddr_un.sun_path less a NUL byte, unix(7)
)
