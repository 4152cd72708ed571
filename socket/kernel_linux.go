package socket

import "golang.org/x/sys/unix"

// controlAtEnd: a read that meets data with descriptors ends behind it
// (net/unix/af_unix.c, unix_stream_read_generic).
const controlAtEnd = true

const sendFlags = unix.MSG_NOSIGNAL

// sysNoExtras turns off what whoever made a socket may have turned on: control
// messages of the kernel's own, which take the room of descriptors. It reports
// whether any was on.
func sysNoExtras(fd int) (had bool) {
	for _, extra := range []int{unix.SO_PASSCRED, unix.SO_PASSSEC, unix.SO_PASSPIDFD} {
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, extra); err == nil && on != 0 {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, extra, 0)
			had = true
		}
	}
	return had
}
