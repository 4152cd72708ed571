package shm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// A Create or Open that fails leaves neither a descriptor nor a mapping behind.
func TestFailedOpenLeaksNothing(t *testing.T) {
	errNo := errors.New("no")
	create := func(path string, init func([]byte) error) error {
		_, err := shm.Create(path, 4096, &shm.Options{Init: init})
		return err
	}
	open := func(path string) error {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := shm.OpenContext(ended, path, nil)
		return err
	}
	for name, fail := range map[string]func(path string) error{
		"Init fails": func(path string) error { return create(path, func([]byte) error { return errNo }) },
		"Init panics": func(path string) (err error) {
			defer func() { recover(); err = errNo }()
			return create(path, func([]byte) error { panic(errNo) })
		},
		"name taken": func(path string) error {
			return create(path, func([]byte) error { return os.WriteFile(path, nil, 0o600) })
		},
		"no size": func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), open(path)) },
		"FIFO":    func(path string) error { return errors.Join(unix.Mkfifo(path, 0o600), open(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			is.True(fail(filepath.Join(dir, "segment")) != nil)
			maps, err := os.ReadFile("/proc/self/maps")
			is.NoErr(err)
			is.True(!strings.Contains(string(maps), dir))
			is.True(!strings.Contains(strings.Join(openFiles(), "\n"), dir))
		})
	}
}
