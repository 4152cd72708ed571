//go:build unix && !darwin && (!linux || ipcportable)

package shm

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/ipcctl/ipc/shm/internal/rundir"
)

// POSIX shared-memory objects as files, where they have no system call, or it
// is not used: in /dev/shm if there is one, as glibc's shm_open has them and so
// Python, else in the runtime directory. Their sizes are rounded up to a page as
// on macOS, so that what runs here has run the same path.

// maxObjectName is the length of an object's name with its slash: macOS's
// PSHMNAMLEN, everywhere, so that the long names are exercised.
const maxObjectName = 31

func shortName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "ipc." + hex.EncodeToString(sum[:13])
}

func objectPath(object string) (string, error) {
	const dev = "/dev/shm"
	if fi, err := os.Stat(dev); err == nil && fi.IsDir() {
		return dev + object, nil
	}
	dir, err := rundir.Path("objects")
	return filepath.Join(dir, object), err
}

func shmOpen(object string, flags int, mode uint32) (*os.File, error) {
	path, err := objectPath(object)
	if err != nil {
		return nil, err
	}
	return openRegular(path, flags, mode)
}

func shmUnlink(object string) error {
	path, err := objectPath(object)
	if err != nil {
		return err
	}
	return removeFile(path)
}

// sizeObject is the one ftruncate of an object's life.
func sizeObject(f *os.File, size int, mode os.FileMode) error {
	page := os.Getpagesize()
	return sizeFile(f, (size+page-1)&^(page-1), mode)
}

func regular(fi os.FileInfo) bool { return fi.Mode().IsRegular() }
