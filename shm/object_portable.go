//go:build unix && (!linux || ipcportable)

package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/shm/internal/rundir"
)

// objectPath keeps named segments as files in the user's runtime directory.
func objectPath(name string) (string, error) {
	if isPath(name) {
		return name, nil
	}
	dir, err := rundir.Path("shm")
	return filepath.Join(dir, name), err
}

func createObject(name string, size int, o *Options) (*os.File, []byte, error) {
	path, err := objectPath(name)
	if err != nil {
		return nil, nil, err
	}
	return createFile(path, size, o)
}

func openObject(name string, writable bool) (*os.File, error) {
	path, err := objectPath(name)
	if err != nil {
		return nil, err
	}
	return openFile(path, writable)
}

func removeObject(name string) error {
	path, err := objectPath(name)
	if err != nil {
		return err
	}
	return removeFile(path)
}

func regular(fi os.FileInfo) bool { return fi.Mode().IsRegular() }

func openTmpfile(string) (int, error) {
	return -1, fmt.Errorf("O_TMPFILE: %w", errors.ErrUnsupported)
}

func linkTmpfile(*os.File, string) error { return errors.ErrUnsupported }

func allocate(fd, size int) error { return reserveByWriting(fd, size) }

// createAnonymous makes a file and unlinks it at once.
func createAnonymous(size int, o *Options) (*os.File, []byte, error) {
	dir, err := rundir.Path("shm")
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, temporaryPrefix+generateName())
	var fd int
	err = retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, uint32(o.mode()))
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fd), anonymousName)
	if err := unix.Unlink(path); err != nil {
		f.Close()
		return nil, nil, err
	}
	b, err := fill(f, size, o)
	if err != nil {
		f.Close()
	}
	return f, b, err
}

// fill reserves and initialises.
func fill(f *os.File, size int, o *Options) ([]byte, error) {
	if err := control(f, func(fd int) error { return reserve(fd, size) }); err != nil {
		return nil, err
	}
	return initialise(f, size, o)
}
