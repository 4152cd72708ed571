//go:build linux && !ipcportable

package pipe

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// openPath is open(2) on path itself, rather than on a copy of it.
//
// Preconditions: path is not empty, ends with NUL and is on the heap, where it
// stays put; the kernel reads no further than the NUL. The syscall's argument
// keeps it alive.
func openPath(path []byte, flags int) (int, error) {
	cwd := unix.AT_FDCWD
	fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(cwd), uintptr(unsafe.Pointer(&path[0])), uintptr(flags), 0, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}
