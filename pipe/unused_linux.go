//go:build linux && !ipcportable

package pipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// proveUnused returns nil if no process has the FIFO at path open or waits in
// open(2) for it, and otherwise who does.
//
// /proc is asked first, since looking disturbs nobody: it shows every process
// of this user, those of this package even while they wait. What it can't show
// (other users' processes, foreign ones that wait) is asked by opening each end.
func proveUnused(path string, id fileID) error {
	if pid := holder(id); pid != "" {
		return fmt.Errorf("process %s uses it", pid)
	}
	w, err := openOnce(path, unix.O_WRONLY|unix.O_NONBLOCK, id)
	if err == nil {
		_ = unix.Close(w)
		return errors.New("a reader uses it")
	}
	if !errors.Is(err, unix.ENXIO) {
		return err
	}
	r, err := openOnce(path, unix.O_RDONLY|unix.O_NONBLOCK, id)
	if err != nil {
		return err
	}
	defer unix.Close(r)
	writer, err := hasWriter(r)
	if err == nil && writer {
		err = errors.New("a writer uses it")
	}
	return err
}

// holder returns the id of a process that has the file open, or "".
func holder(id fileID) string {
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is sound
	for _, fd := range fds {
		var st unix.Stat_t
		if unix.Stat(fd, &st) == nil && idOf(&st) == id {
			return filepath.Base(filepath.Dir(filepath.Dir(fd)))
		}
	}
	return ""
}

// hasWriter reports whether the pipe that r reads has a writer or holds bytes,
// and takes none: tee(2) copies what is there, says EAGAIN where a writer may
// yet bring some, and 0 where none is left.
func hasWriter(r int) (bool, error) {
	_, spare, err := openPipe(stream)
	if err != nil {
		return false, err
	}
	defer unix.Close(spare[0])
	defer unix.Close(spare[1])
	n, err := tee(r, spare[1], 1)
	if err == unix.EAGAIN {
		return true, nil
	}
	return n > 0, os.NewSyscallError("tee", err)
}
