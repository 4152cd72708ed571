package socket

import "golang.org/x/sys/unix"

const sendFlags = 0

// noSigpipe is what MSG_NOSIGNAL is elsewhere.
func noSigpipe(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NOSIGPIPE, 1)
}
