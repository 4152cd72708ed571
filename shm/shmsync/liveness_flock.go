//go:build unix

package shmsync

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/shm/internal/rundir"
)

// flockLocks keeps one locked file per held index: DIR/live/KEY.INDEX, where
// KEY names the object. Whoever locks a file makes sure afterwards that it is
// still the one under its name, so a file can be unlinked by its holder.
type flockLocks struct {
	key  string
	open map[int]*os.File
}

func openFlocks(f *os.File) (locks, error) {
	key, err := rundir.Key(f)
	if err != nil {
		return nil, err
	}
	dir, err := rundir.Path("live")
	if err != nil {
		return nil, err
	}
	return flockLocks{key: filepath.Join(dir, key), open: map[int]*os.File{}}, nil
}

func (k flockLocks) path(i int) string { return fmt.Sprintf("%s.%d", k.key, i) }

// Probes hold a shared lock for a moment; try looks again before it believes
// that somebody lives.
const (
	lockTries = 20
	lockPause = 100 * time.Microsecond
)

func (k flockLocks) try(i int) (bool, error) {
	for range lockTries {
		f, err := os.OpenFile(k.path(i), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return false, err
		}
		err = rundir.Flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && rundir.SameFile(f, k.path(i)) {
			k.open[i] = f
			return true, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return false, err
		}
		time.Sleep(lockPause)
	}
	return false, nil
}

func (k flockLocks) unlock(i int) error {
	f := k.open[i]
	delete(k.open, i)
	var err error
	if rundir.SameFile(f, k.path(i)) { // else somebody took it away, and it may be another's now
		err = os.Remove(k.path(i)) // first: the lock still keeps others out
	}
	return errors.Join(err, f.Close())
}

func (k flockLocks) held(i int) (bool, error) {
	f, err := os.OpenFile(k.path(i), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = rundir.Flock(f, unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return k.open[i] == nil, nil
	}
	return false, err
}

func (k flockLocks) close() error {
	var errs []error
	for i := range k.open {
		errs = append(errs, k.unlock(i))
	}
	return errors.Join(errs...)
}
