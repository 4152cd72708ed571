//go:build unix && (!linux || ipcportable)

package acl

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// apply sets the mode alone: a socket can't be opened to hold on to it, and
// the ACLs of these systems are of another sort.
func apply(path string, p *Policy, resource string) (FileAccess, error) {
	info, err := lstat(path)
	if err != nil {
		return FileAccess{}, err
	}
	a, err := checkApply(info, p, resource)
	if err != nil {
		return a, err
	}
	a = a.withoutEntries(runtime.GOOS + " has no POSIX ACLs")
	return a, chmodPath(path, a.Mode)
}

// lstat is os.Lstat with the bare error, as the caller names the path.
func lstat(path string) (os.FileInfo, error) {
	info, err := os.Lstat(path)
	if pe, ok := err.(*os.PathError); ok {
		err = pe.Err
	}
	return info, err
}

// chmodPath sets a mode by path. The kernel may know the flag against links, or
// not; the path has been seen to be none.
func chmodPath(path string, mode os.FileMode) error {
	err := unix.Fchmodat(unix.AT_FDCWD, path, uint32(mode.Perm()), unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		err = unix.Fchmodat(unix.AT_FDCWD, path, uint32(mode.Perm()), 0)
	}
	return os.NewSyscallError("fchmodat", err)
}
