//go:build unix

package acl

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

func TestApplyRefuses(t *testing.T) {
	p := parse(t, "allow any any any")
	dir := t.TempDir()
	file := write(t, dir, "file", "")
	link := filepath.Join(dir, "link")
	fifo := filepath.Join(dir, "fifo")
	if err := errors.Join(os.Symlink(file, link), syscall.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path, resource string
		want                 error
	}{
		{"nothing there", filepath.Join(dir, "none"), "shm:a", os.ErrNotExist},
		{"a link", link, "shm:a", os.ErrInvalid},
		{"a file for a socket", file, "socket:/a", os.ErrInvalid},
		{"a FIFO for a segment", fifo, "queue:a", os.ErrInvalid},
		{"a directory", dir, "shm:a", os.ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			_, err := Apply(tc.path, p, tc.resource)
			is.True(errors.Is(err, tc.want))
		})
	}
	is := is.New(t)
	_, err := Apply(file, p, "rpc:/a/B")
	is.True(err != nil) // there is no file behind a method
	info, err := os.Stat(file)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o600)) // nothing has changed
}

func TestApplyMode(t *testing.T) {
	is := is.New(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	is.NoErr(syscall.Mkfifo(fifo, 0o600))
	a, err := Apply(fifo, parse(t, "allow any read pipe:**"), "pipe:"+fifo)
	is.NoErr(err)
	is.Equal(a.Warnings, nil)
	info, err := os.Stat(fifo)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o644))
}
