//go:build unix

package shm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// childCreator hangs in Init until it is killed.
func childCreator(args []string) error {
	_, err := shm.Create(args[0], 100, &shm.Options{Init: func([]byte) error {
		say("in Init")
		untilParent()
		return nil
	}})
	return err
}

// A creator that dies leaves no segment, and its name is free.
func TestKilledCreator(t *testing.T) {
	for kind, name := range map[string]string{"named": testName(t), "path": filepath.Join(t.TempDir(), "segment")} {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			p := start(t, "creator", name)
			is.Equal(p.line(), "in Init")
			p.kill()
			_, err := shm.Open(name, nil)
			is.True(errors.Is(err, os.ErrNotExist))
			r, err := shm.Create(name, 200, nil)
			is.NoErr(err)
			is.NoErr(r.Close())
			r, err = shm.Open(name, nil)
			is.NoErr(err)
			is.Equal(r.Size(), 200)
			is.NoErr(r.Close())
			is.NoErr(shm.Remove(name))
		})
	}
}

func TestCreateWithoutTmpfile(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "segment")
	o := shm.WithoutTmpfile()
	o.Mode = 0o644
	o.Init = func(mem []byte) error {
		_, err := os.Lstat(path)
		is.True(errors.Is(err, os.ErrNotExist))
		copy(mem, "ready")
		return nil
	}
	r, err := shm.Create(path, 100, o)
	is.NoErr(err)
	defer r.Close()
	fi, err := os.Stat(path)
	is.NoErr(err)
	is.Equal(fi.Mode().Perm(), os.FileMode(0o644))
	_, err = shm.Create(path, 100, o)
	is.True(errors.Is(err, os.ErrExist))

	other := filepath.Join(dir, "other")
	winner := func([]byte) error { return os.WriteFile(other, []byte("winner"), 0o600) }
	bad := shm.WithoutTmpfile()
	bad.Init = winner
	_, err = shm.Create(other, 100, bad) // loses at the link
	is.True(errors.Is(err, os.ErrExist))
	bad.Init = func([]byte) error { return errors.New("no") }
	_, err = shm.Create(filepath.Join(dir, "third"), 100, bad)
	is.True(err != nil)
	l, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(l), 2) // segment and other, no temporary name
	for _, e := range l {
		is.True(!strings.HasPrefix(e.Name(), "."))
	}
}

// What Init returns is the caller's own, and stays whole: an error about another
// file is not one about the segment.
func TestErrorOfInitStaysWhole(t *testing.T) {
	is := is.New(t)
	errSeed := errors.New("no seed")
	missing := filepath.Join(t.TempDir(), "seed")
	_, open := os.Open(missing)
	for name, inner := range map[string]error{"bare": open, "wrapped": fmt.Errorf("%w: %w", errSeed, open)} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := shm.Create("", 100, &shm.Options{Init: func([]byte) error { return inner }})
			is.True(errors.Is(err, inner))
			is.True(strings.Contains(err.Error(), missing)) // says which file is missing
			_, err = shm.Anonymous(100, &shm.Options{Init: func([]byte) error { return inner }})
			is.True(errors.Is(err, inner))
		})
	}
	// An error about the segment itself names it once.
	_, err := shm.Open(missing, nil)
	is.Equal(strings.Count(err.Error(), missing), 1)
	err = shm.Remove(missing)
	is.Equal(strings.Count(err.Error(), missing), 1)
	is.True(errors.Is(err, os.ErrNotExist))
}
