//go:build !ipcportable

package acl

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// apply holds the file by an O_PATH descriptor, so that what is checked is
// what is changed, and works with files that can't be opened, as sockets. The
// ACL calls don't take such a descriptor; its name under /proc they do.
func apply(path string, p *Policy, resource string) (FileAccess, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return FileAccess{}, os.NewSyscallError("open", err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return FileAccess{}, err
	}
	a, err := checkApply(info, p, resource)
	if err != nil {
		return a, err
	}
	held := "/proc/self/fd/" + strconv.Itoa(fd)
	// Setting the ACL sets the mode with it (posix_acl_update_mode); one
	// without entries is dropped again by the kernel, and the mode stays.
	err = unix.Setxattr(held, "system.posix_acl_access", encodePosixACL(a), 0)
	if err == unix.EOPNOTSUPP {
		a = a.withoutEntries("this file system has no POSIX ACLs")
		return a, os.NewSyscallError("fchmodat", unix.Fchmodat(unix.AT_FDCWD, held, uint32(a.Mode), 0))
	}
	return a, os.NewSyscallError("setxattr system.posix_acl_access", err)
}
