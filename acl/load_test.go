//go:build unix

package acl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

func TestLoadRefuses(t *testing.T) {
	const good = "allow any put queue:a\n"
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
		say  string
	}{
		{"nothing", func(t *testing.T, path string) {}, os.ErrNotExist, "no such file"},
		{"a link", func(t *testing.T, path string) {
			is.New(t).NoErr(os.Symlink(write(t, filepath.Dir(path), "real", good), path))
		}, os.ErrPermission, "symbolic link"},
		{"a broken link", func(t *testing.T, path string) { is.New(t).NoErr(os.Symlink("nowhere", path)) }, os.ErrPermission, "symbolic link"},
		{"a directory", func(t *testing.T, path string) { is.New(t).NoErr(os.Mkdir(path, 0o700)) }, os.ErrPermission, "no regular file"},
		{"a FIFO", func(t *testing.T, path string) { is.New(t).NoErr(syscall.Mkfifo(path, 0o600)) }, os.ErrPermission, "no regular file"},
		{"writable by the group", func(t *testing.T, path string) {
			is.New(t).NoErr(os.Chmod(write(t, filepath.Dir(path), filepath.Base(path), good), 0o620))
		}, os.ErrPermission, "chmod go-w"},
		{"writable by everybody", func(t *testing.T, path string) {
			is.New(t).NoErr(os.Chmod(write(t, filepath.Dir(path), filepath.Base(path), good), 0o606))
		}, os.ErrPermission, "chmod go-w"},
		{"someone else's", func(t *testing.T, path string) {
			asRoot(t)
			is.New(t).NoErr(os.Chown(write(t, filepath.Dir(path), filepath.Base(path), good), 1234, 0))
		}, os.ErrPermission, "belongs to uid 1234"},
		{"too large", func(t *testing.T, path string) {
			write(t, filepath.Dir(path), filepath.Base(path), strings.Repeat("#", MaxFile+1))
		}, os.ErrInvalid, "more than 4194304 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "app.acl")
			tc.make(t, path)
			p, err := Load(path)
			is.True(p == nil)
			is.True(errors.Is(err, tc.want)) // the sentinel
			is.True(strings.Contains(err.Error(), tc.say) && strings.Contains(err.Error(), path))

			// The same file is refused where another policy includes it.
			_, err = Load(write(t, t.TempDir(), "main.acl", "include "+quote(path)+"\n"))
			is.True(errors.Is(err, tc.want))
			is.Equal(SyntaxErrors(err)[0].Line, 1)
		})
	}
}

func TestLoad(t *testing.T) {
	is := is.New(t)
	for _, mode := range []os.FileMode{0o400, 0o600, 0o640, 0o644} {
		path := write(t, t.TempDir(), "app.acl", "allow any put queue:a\n")
		is.NoErr(os.Chmod(path, mode))
		p, err := Load(path)
		is.NoErr(err)
		is.Equal(p.Name(), path)
	}
}

// asRoot skips what only root can set up.
func asRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user")
	}
}
