package command

import (
	"fmt"
	"strings"
	"syscall"
)

// checkRoom refuses a size that shared memory has no room for, before anything
// is reserved. Reserving takes real memory step by step, and /dev/shm is often
// allowed to be as large as all of it: a slip of the keyboard would drive the
// system out of memory, and that ends processes which have no part in it.
func checkRoom(name string, size int64) error {
	if strings.Contains(name, "/") {
		return nil // a file, whose disk says itself when it is full
	}
	room, known := shmRoom()
	if !known || size <= room {
		return nil
	}
	if name == "" {
		name = "new segment"
	}
	return fmt.Errorf("%q: %s don't fit, there is room for %s: %w", name, formatSize(size), formatSize(room), syscall.ENOSPC)
}
