//go:build !ipcportable

package acl

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestInotifyTellsOfNewFiles(t *testing.T) {
	is := is.New(t)
	n, err := newNotifier()
	is.NoErr(err)
	defer n.close()
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "none", "c")
	is.True(n.watch([]string{a}))
	is.True(!n.watch([]string{a}))
	is.True(n.watch([]string{a, b}))
	is.True(!n.watch([]string{b, a, c})) // c can't be watched
	is.NoErr(os.Mkdir(filepath.Dir(c), 0o700))
	is.True(n.watch([]string{a, b, c}))
}

// TestInotifyDirectoryMoves: without the clock's help.
func TestInotifyDirectoryMoves(t *testing.T) {
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "d")
	is.NoErr(os.Mkdir(dir, 0o700))
	w, err := Watch(write(t, dir, "app.acl", "allow uid:1 put queue:a\n"), &WatchOptions{Interval: time.Hour})
	is.NoErr(err)
	defer w.Close()
	told := changes(t, w)
	is.NoErr(os.Rename(dir, dir+".old"))
	is.True(errors.Is(next(t, told).Err, os.ErrNotExist))
}
