//go:build unix && !darwin && (!linux || ipcportable)

package shm

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/shm/internal/rundir"
)

// POSIX shared-memory objects as files, where they have no system call: glibc's
// shm_open is this with /dev/shm. Sizes are rounded up to a page as on macOS,
// so that what runs here has run the same path.

// maxObjectName is the length of an object's name with its slash: macOS's
// PSHMNAMLEN, everywhere, so that the long names are exercised.
const maxObjectName = 31

func shortName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "ipc." + hex.EncodeToString(sum[:13])
}

func objectPath(object string) string {
	const dev = "/dev/shm"
	if fi, err := os.Stat(dev); err == nil && fi.IsDir() {
		return dev + object
	}
	dir, err := rundir.Path("objects")
	if err != nil {
		return object
	}
	return filepath.Join(dir, object)
}

func shmOpen(object string, flags int, mode uint32) (*os.File, error) {
	var fd int
	path := objectPath(object)
	err := retry(func() (err error) {
		fd, err = unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func shmUnlink(object string) error { return removeFile(objectPath(object)) }

// sizeObject is the one ftruncate of an object's life.
func sizeObject(f *os.File, size int, mode os.FileMode) error {
	page := os.Getpagesize()
	return control(f, func(fd int) error {
		if err := unix.Fchmod(fd, uint32(mode)); err != nil {
			return os.NewSyscallError("fchmod", err)
		}
		return reserve(fd, (size+page-1)&^(page-1))
	})
}

func regular(fi os.FileInfo) bool { return fi.Mode().IsRegular() }
