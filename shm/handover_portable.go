//go:build unix && (!linux || ipcportable)

package shm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func isSealed(*os.File) bool     { return false }
func isStable(*os.File) bool     { return false }
func sealWriters(*os.File) error { return nil }
func markUsed(*os.File)          {}

// reopenReadOnly makes a descriptor that allows reading only. A descriptor
// that is read-only already is duplicated; another one is opened again by its
// name, which must still refer to the same object.
func reopenReadOnly(f *os.File) (*os.File, error) {
	var flags int
	err := control(f, func(fd int) (err error) {
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		return os.NewSyscallError("fcntl", err)
	})
	if err != nil {
		return nil, err
	}
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		return duplicate(f)
	}
	g, err := reopenByName(f.Name())
	if err != nil {
		return nil, fmt.Errorf("a read-only descriptor of an object without a name: %w", errors.ErrUnsupported)
	}
	a, errA := f.Stat()
	b, errB := g.Stat()
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		return nil, errors.Join(fmt.Errorf("its name refers to another object now: %w", os.ErrNotExist), g.Close())
	}
	return g, nil
}

// reopenByName finds the object behind the name that its file carries.
func reopenByName(name string) (*os.File, error) {
	if f, err := shmOpen(name, unix.O_RDONLY, 0); err == nil {
		return f, nil
	}
	return openFile(name, false)
}
