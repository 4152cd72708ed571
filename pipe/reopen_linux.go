//go:build linux && !ipcportable

package pipe

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reopen opens the pipe behind fd anew, so that the new descriptor's
// non-blocking mode is nobody else's (proc(5), /proc/pid/fd). It fails where
// the pipe belongs to another user or /proc is missing.
func reopen(fd, flags int) (int, error) {
	return unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
}
