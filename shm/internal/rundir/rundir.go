//go:build unix

// Package rundir finds the private directory that holds what the kernel does
// not keep: lock files and, where the system cannot list its shared memory,
// one record per segment.
//
//	$IPC_RUNTIME_DIR, else $XDG_RUNTIME_DIR/ipc, else $TMPDIR/ipc-UID     mode 0700, owned by us
//	    live/KEY.INDEX      a lock file per held liveness index
//	    shm/NAME            a record per named segment (registry)
//	    files/NAME          a segment that is a file though the system has shared memory
//	    objects/NAME        shared memory where the system has none
package rundir

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Path makes sure that the runtime directory and sub in it exist, are
// directories of this user and not writable by others, and returns sub's path.
func Path(sub string) (string, error) {
	base := os.Getenv("IPC_RUNTIME_DIR")
	if base == "" {
		if x := os.Getenv("XDG_RUNTIME_DIR"); x != "" {
			base = filepath.Join(x, "ipc")
		} else {
			base = filepath.Join(os.TempDir(), fmt.Sprintf("ipc-%d", os.Geteuid()))
		}
	}
	for _, dir := range []string{base, filepath.Join(base, sub)} {
		if err := private(dir); err != nil {
			return "", fmt.Errorf("runtime directory %q: %w", dir, err)
		}
	}
	return filepath.Join(base, sub), nil
}

// private makes dir with mode 0700, or checks that it is ours and closed.
func private(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return nil
	}
	if !os.IsExist(err) {
		return err
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		return fmt.Errorf("not a directory: %w", os.ErrInvalid)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("belongs to another user: %w", os.ErrPermission)
	case fi.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("writable by others (mode %#o): %w", fi.Mode().Perm(), os.ErrPermission)
	}
	return nil
}

// Key names the object that f refers to, the same in every process.
func Key(f *os.File) (string, error) {
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("no inode number for %q", f.Name())
	}
	return key(f.Name(), uint64(st.Dev), uint64(st.Ino)), nil
}

func key(name string, dev, ino uint64) string {
	if ino == 0 { // POSIX shared memory of macOS has none: its name has to do
		sum := sha256.Sum256([]byte(name))
		return fmt.Sprintf("name-%x", sum[:12])
	}
	return fmt.Sprintf("%x-%x", dev, ino)
}
