//go:build darwin

package shm

import (
	"crypto/sha256"
	"encoding/hex"
	"os"

	"golang.org/x/sys/unix"
)

// maxObjectName is PSHMNAMLEN, XNU bsd/sys/posix_shm.h, slash included: what
// pshm_get_name of bsd/kern/posix_shm.c copies in, besides the NUL.
const maxObjectName = 31

func shortName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "ipc." + hex.EncodeToString(sum[:13])
}

// objectPath: objects have no path here.
func objectPath(object string) (string, error) { return object, nil }

// shmOpen is shm_open(2). The descriptor's file is named after the object.
func shmOpen(object string, flags int, mode uint32) (f *os.File, err error) {
	var fd int
	err = retry(func() (err error) {
		fd, err = libcShmOpen(object, flags, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), object), nil
}

func shmUnlink(object string) error {
	return retry(func() error { return libcShmUnlink(object) })
}

// sizeObject is the one ftruncate that an object may have; the kernel rounds
// the size up to a page (pshm_truncate, XNU bsd/kern/posix_shm.c). The mode is
// the one of shm_open: objects have no fchmod.
func sizeObject(f *os.File, size int, _ os.FileMode) error {
	return control(f, func(fd int) error {
		return os.NewSyscallError("ftruncate", retry(func() error { return unix.Ftruncate(fd, int64(size)) }))
	})
}

// regular: an object's mode has no file type. Its inode number and its number
// of links are always 0 (pshm_stat).
func regular(fi os.FileInfo) bool {
	return fi.Mode().IsRegular() || fi.Mode()&(os.ModeDir|os.ModeNamedPipe|os.ModeSocket|os.ModeDevice|os.ModeSymlink) == 0
}
