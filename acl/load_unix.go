//go:build unix

package acl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openTrusted opens a policy file and checks what it opened: the checks are
// about the open file, which nobody can exchange any more.
func openTrusted(path string) (*os.File, error) {
	// O_NONBLOCK: opening a FIFO must not wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) { // EMLINK: FreeBSD
		return nil, fmt.Errorf("it is a symbolic link; name the file itself: %w", os.ErrPermission)
	}
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err // the path is named by the caller
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = trusted(info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// trusted refuses a file that someone else could have written.
func trusted(info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is no regular file (%v): %w", info.Mode().Type(), os.ErrPermission)
	}
	owner, us := info.Sys().(*syscall.Stat_t).Uid, uint32(os.Geteuid())
	if owner != 0 && owner != us {
		return fmt.Errorf("it belongs to uid %d; only root (0) or we (%d) may own a policy: %w", owner, us, os.ErrPermission)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("others may write it (mode %04o); chmod go-w first: %w", perm, os.ErrPermission)
	}
	return nil
}

// fileID tells a file from another of the same name, and its owner.
func fileID(info os.FileInfo) string {
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprint(st.Dev, st.Ino, st.Uid)
}
