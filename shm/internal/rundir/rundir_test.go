//go:build unix

package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
)

func TestPathIsPrivate(t *testing.T) {
	is := is.New(t)
	base := filepath.Join(t.TempDir(), "run")
	t.Setenv("IPC_RUNTIME_DIR", base)
	dir, err := Path("live")
	is.NoErr(err)
	is.Equal(dir, filepath.Join(base, "live"))
	for _, d := range []string{base, dir} {
		fi, err := os.Lstat(d)
		is.NoErr(err)
		is.Equal(fi.Mode(), os.ModeDir|0o700)
	}
	_, err = Path("live") // again
	is.NoErr(err)

	is.NoErr(os.Chmod(base, 0o722))
	_, err = Path("live")
	is.True(errors.Is(err, os.ErrPermission)) // others could plant files
}

func TestPathRefusesWhatIsNotADirectory(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	is.NoErr(os.WriteFile(file, nil, 0o600))
	link := filepath.Join(dir, "link")
	is.NoErr(os.Symlink(t.TempDir(), link))
	for _, base := range []string{file, link} {
		t.Setenv("IPC_RUNTIME_DIR", base)
		_, err := Path("live")
		is.True(errors.Is(err, os.ErrInvalid))
	}
}

func TestDefaults(t *testing.T) {
	is := is.New(t)
	t.Setenv("IPC_RUNTIME_DIR", "")
	x := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", x)
	dir, err := Path("shm")
	is.NoErr(err)
	is.Equal(dir, filepath.Join(x, "ipc", "shm"))
}

// Objects without an inode number are told apart by their names.
func TestKeyWithoutInode(t *testing.T) {
	is := is.New(t)
	is.Equal(key("/a", 0, 0), key("/a", 1, 0))
	is.True(key("/a", 0, 0) != key("/b", 0, 0))
	is.Equal(key("/a", 18, 255), "12-ff")
}

func TestKeyIsOfTheObject(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "a")
	f, err := os.Create(path)
	is.NoErr(err)
	defer f.Close()
	g, err := os.Open(path)
	is.NoErr(err)
	defer g.Close()
	other, err := os.Create(path + "b")
	is.NoErr(err)
	defer other.Close()
	key := func(f *os.File) string {
		k, err := Key(f)
		is.NoErr(err)
		return k
	}
	is.Equal(key(f), key(g))
	is.True(key(f) != key(other))
}
