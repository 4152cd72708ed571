package socket

import "golang.org/x/sys/unix"

// controlAtEnd: a read that takes descriptors begins with the data they came
// with (XNU bsd/kern/uipc_socket.c, soreceive).
const controlAtEnd = false

const sendFlags = 0

// noSigpipe is what MSG_NOSIGNAL is elsewhere (XNU bsd/sys/socket.h).
func noSigpipe(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NOSIGPIPE, 1)
}

func sysNoExtras(int) bool { return false }
