//go:build unix

package socket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// foreign listens at path as a program without our lock does, until the test
// ends.
func foreign(t testing.TB, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// answers fails unless somebody listens at path.
func answers(t testing.TB, path string) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the live socket is gone: %v", err)
	}
	c.Close()
}

// Other programs, MySQL and PostgreSQL among them, have a file path + ".lock"
// as well, with a pid in it, and don't lock it.
func TestLockOfAnotherProgramIsLeftAlone(t *testing.T) {
	for name, text := range map[string]string{
		"a pid":              "4711\n",
		"a postmaster":       "4711\n/var/lib/data\n1700000000\n5432\n/run\n\n",
		"as long as ours":    strings.Repeat("x", noteLen-1) + "\n",
		"begins as ours":     noteBinding + strings.Repeat(" ", noteLen) + "\n",
		"two numbers, short": "1 2\n",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "s")
			foreign(t, path)
			is.NoErr(os.WriteFile(path+".lock", []byte(text), 0o600))
			for range 2 {
				_, err := Listen(path, nil)
				is.True(errors.Is(err, os.ErrExist))
				is.True(strings.Contains(err.Error(), path+".lock")) // names what it is about
				now, err := os.ReadFile(path + ".lock")
				is.NoErr(err)
				is.Equal(string(now), text)
				answers(t, path)
			}
		})
	}
}

// What a dead owner of ours may have left in its lock file is no hindrance.
func TestLockOfADeadOwner(t *testing.T) {
	for name, text := range map[string]string{
		"killed before it wrote": "",
		"binding":                noteBinding + strings.Repeat(" ", noteLen-1-len(noteBinding)) + "\n",
		"power failure":          strings.Repeat("\x00", noteLen),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "s")
			is.NoErr(os.WriteFile(path+".lock", []byte(text), 0o600))
			is.NoErr(listen(t, path, nil).Close())
			is.Equal(entries(t, filepath.Dir(path)), []string{})
		})
	}
}

// Names beside the socket's own belong to others.
func TestNeighboursAreLeftAlone(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	is.NoErr(os.WriteFile(path+".stale", []byte("precious"), 0o600))
	is.NoErr(listen(t, path, nil).Close())
	text, err := os.ReadFile(path + ".stale")
	is.NoErr(err)
	is.Equal(string(text), "precious")
	is.NoErr(os.Remove(path + ".stale"))

	go echo(listen(t, path+".stale", nil)) // another server
	is.NoErr(listen(t, path, nil).Close())
	is.NoErr(roundTrip(t, path+".stale", nil))
}

// A path is what the kernel takes it for: ".." behind a symbolic link leads to
// the parent of where that points.
func TestPathThroughALink(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	here, there := filepath.Join(dir, "here"), filepath.Join(dir, "there")
	is.NoErr(os.Mkdir(here, 0o700))
	is.NoErr(os.MkdirAll(filepath.Join(there, "sub"), 0o700))
	is.NoErr(os.Symlink(filepath.Join(there, "sub"), filepath.Join(here, "link")))
	foreign(t, filepath.Join(here, "s"))

	path := here + "/link/../s"
	l, err := Listen(path, nil)
	answers(t, filepath.Join(here, "s"))
	is.NoErr(err)
	go echo(l)
	is.Equal(entries(t, there), []string{"s", "s.lock", "sub"})
	is.NoErr(roundTrip(t, path, nil))
	is.NoErr(l.Close())
	is.Equal(entries(t, there), []string{"sub"})
}

// A socket counts as dead only if it was asked itself, also while its directory
// gets another name.
func TestSocketInARenamedDirectory(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	was, now := filepath.Join(dir, "was"), filepath.Join(dir, "now")
	is.NoErr(os.Mkdir(was, 0o700))
	foreign(t, filepath.Join(was, "s"))
	p, err := openPlace(filepath.Join(was, "s"))
	is.NoErr(err)
	defer unix.Close(p.dir)
	is.NoErr(os.Rename(was, now))
	lock, err := p.takeLock()
	is.NoErr(err)
	defer unix.Close(lock)
	is.True(errors.Is(p.clear(lock), syscall.EADDRINUSE))
	answers(t, filepath.Join(now, "s"))
}

// A Listen that fails forgets nothing of what a dead owner has left: the next
// one knows its socket.
func TestFailedListenKeepsTheNote(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	cmd := helper(t, "echo", path)
	is.NoErr(cmd.Start())
	is.NoErr(roundTrip(t, path, &DialOptions{Wait: true}))
	stop(cmd)
	note, err := os.ReadFile(path + ".lock")
	is.NoErr(err)

	p, err := openPlace(path)
	is.NoErr(err)
	defer unix.Close(p.dir)
	aside := filepath.Join(dir, p.aside())
	is.NoErr(os.Mkdir(aside, 0o700)) // so that the dead socket can't be removed
	_, err = Listen(path, nil)
	is.True(err != nil)
	is.NoErr(os.Remove(aside))
	kept, err := os.ReadFile(path + ".lock")
	is.NoErr(err)
	is.Equal(string(kept), string(note))

	go echo(listen(t, path, nil))
	is.NoErr(roundTrip(t, path, nil))
}
