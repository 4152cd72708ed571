package shm

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// checkRoom refuses what can never fit before the first byte is reserved: the
// kernel would fill the file system, or for memory without a limit of its own
// the whole machine, and only then say so.
func checkRoom(fd, size int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return nil // the reservation itself decides
	}
	if free := fs.Bavail * uint64(fs.Bsize); fs.Blocks > 0 && uint64(size) > free {
		return fmt.Errorf("%d bytes, the file system has %d left: %w", size, free, unix.ENOSPC)
	}
	if fs.Type != unix.TMPFS_MAGIC {
		return nil
	}
	var mem unix.Sysinfo_t
	if err := unix.Sysinfo(&mem); err != nil {
		return nil
	}
	if all := (uint64(mem.Totalram) + uint64(mem.Totalswap)) * uint64(mem.Unit); uint64(size) > all {
		return fmt.Errorf("%d bytes, memory and swap have %d: %w", size, all, unix.ENOSPC)
	}
	return nil
}
