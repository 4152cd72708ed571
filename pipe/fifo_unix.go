//go:build unix

package pipe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// fileID tells one file from another that took its path.
type fileID struct{ dev, ino uint64 }

// create makes a FIFO with the permissions perm, or takes over the stale one at path.
func create(path string, perm fs.FileMode, replaceStale bool) (fileID, error) {
	err := unix.Mkfifo(path, uint32(perm))
	switch {
	case err == nil:
		id, err := takeMode(path, perm)
		if err != nil {
			_ = remove(path, id) // and nothing that has taken its place
		}
		return id, err
	case err != unix.EEXIST:
		return fileID{}, os.NewSyscallError("mkfifo", err)
	}
	st, err := inspect(path, true)
	if err != nil {
		return fileID{}, fmt.Errorf("%w: %w", os.ErrExist, err)
	}
	if !replaceStale {
		return fileID{}, os.ErrExist
	}
	if int(st.Uid) != os.Geteuid() {
		return fileID{}, fmt.Errorf("%w: %w: its owner is user %d", os.ErrExist, ErrUntrusted, st.Uid)
	}
	if err := proveUnused(path, idOf(&st)); err != nil {
		return fileID{}, fmt.Errorf("%w: %w", os.ErrExist, err)
	}
	return takeMode(path, perm)
}

// takeMode makes the permissions of the FIFO at path exactly perm. Beside an
// error it returns which FIFO it was about, if there was one.
func takeMode(path string, perm fs.FileMode) (fileID, error) {
	st, err := inspect(path, true)
	if err != nil {
		return fileID{}, err
	}
	if fs.FileMode(st.Mode)&fs.ModePerm == perm {
		return idOf(&st), nil
	}
	fd, err := openOnce(path, unix.O_RDONLY|unix.O_NONBLOCK, idOf(&st))
	if err != nil {
		return idOf(&st), err
	}
	defer unix.Close(fd)
	return idOf(&st), os.NewSyscallError("fchmod", unix.Fchmod(fd, uint32(perm)))
}

// remove removes path if it still is the FIFO that id names. A file of another
// kind may have been given the number of one that is gone.
func remove(path string, id fileID) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return os.NewSyscallError("lstat", err)
	}
	if idOf(&st) != id || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return fmt.Errorf("%w: another file has its place", os.ErrNotExist)
	}
	return os.NewSyscallError("unlink", unix.Unlink(path))
}

// inspect looks at what is at path and says why it may not be used: it is no
// FIFO, or (unless others is set) it is not this user's or root's alone to
// write to.
func inspect(path string, others bool) (unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return st, os.NewSyscallError("lstat", err)
	}
	uid, mode := int(st.Uid), uint32(st.Mode)
	switch {
	case mode&unix.S_IFMT != unix.S_IFIFO:
		return st, fmt.Errorf("%w but %s", ErrNotFIFO, typeName(mode))
	case others:
		return st, nil
	case uid != os.Geteuid() && uid != 0:
		return st, fmt.Errorf("%w: its owner is user %d; set AllowOthers to use it all the same", ErrUntrusted, uid)
	case mode&0o022 != 0:
		return st, fmt.Errorf("%w: mode %#o lets others write; set AllowOthers to use it all the same", ErrUntrusted, mode&0o777)
	}
	return st, nil
}

func typeName(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "a regular file"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFLNK:
		return "a symbolic link"
	case unix.S_IFSOCK:
		return "a socket"
	}
	return "a device"
}

func idOf(st *unix.Stat_t) fileID { return fileID{uint64(st.Dev), uint64(st.Ino)} }

// errSwapped says that a path led to another file than a moment before.
var errSwapped = errors.New("the path was given to another file meanwhile")

// openOnce opens path, which must still lead to the file that id names.
func openOnce(path string, flags int, id fileID) (int, error) {
	fd, err := openat(path, flags)
	if err != nil {
		return -1, err
	}
	return verified(fd, id)
}

// openat opens path, which may not be a symbolic link, as close-on-exec.
func openat(path string, flags int) (int, error) {
	for { // ends: only a signal is a reason to try again
		fd, err := unix.Open(path, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, os.NewSyscallError("open", err)
		}
	}
}

// verified returns fd if it is open on the file that id names, and closes it otherwise.
func verified(fd int, id fileID) (int, error) {
	var st unix.Stat_t
	err := os.NewSyscallError("fstat", unix.Fstat(fd, &st))
	if err == nil && idOf(&st) != id {
		err = errSwapped
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
