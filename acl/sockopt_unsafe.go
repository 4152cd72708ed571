//go:build linux

package acl

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGroups is NGROUPS_MAX of linux/limits.h: no process has more.
const maxGroups = 65536

// peerGroups returns the supplementary groups of fd's peer, by SO_PEERGROUPS:
// the kernel fills an array of gid_t, or answers ERANGE and the length in
// bytes that it needs. The list belongs to the connection and can't change
// between the two calls.
func peerGroups(fd int) ([]uint32, error) {
	const size = unsafe.Sizeof(uint32(0))
	groups := make([]uint32, 32)
	for {
		n := uint32(uintptr(len(groups)) * size)
		// groups has n bytes, aligned for uint32, and lives until after the call.
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(unsafe.SliceData(groups))), uintptr(unsafe.Pointer(&n)), 0)
		got := int(uintptr(n) / size)
		switch {
		case errno == unix.ERANGE && got > len(groups) && got <= maxGroups:
			groups = make([]uint32, got)
		case errno != 0:
			return nil, errno
		case got == 0:
			return nil, nil
		default:
			return groups[:got:got], nil
		}
	}
}
