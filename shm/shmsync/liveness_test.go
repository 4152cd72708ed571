//go:build unix

package shmsync

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

func tempFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "object"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// kinds are the locks that this build has; some kernels lack the native ones.
var kinds = map[string]func(*os.File) (locks, error){"native": openLocks, "flock": openFlocks}

func openLivenessBy(t testing.TB, f *os.File, kind func(*os.File) (locks, error)) *Liveness {
	t.Helper()
	l, err := newLiveness(f, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLivenessExcludes(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) { testExcludes(t, kind) })
	}
}

func testExcludes(t *testing.T, kind func(*os.File) (locks, error)) {
	is := is.New(t)
	f := tempFile(t)
	a, b := openLivenessBy(t, f, kind), openLivenessBy(t, f, kind)
	try := func(l *Liveness, i int) bool {
		ok, err := l.TryLock(i)
		is.NoErr(err)
		return ok
	}
	held := func(l *Liveness, i int) bool {
		ok, err := l.Held(i)
		is.NoErr(err)
		return ok
	}
	is.True(!held(a, 7))
	is.True(try(a, 7))
	is.True(!try(a, 7)) // not twice
	is.True(!try(b, 7))
	is.True(held(b, 7))
	is.True(!held(a, 7)) // by another, it says
	is.True(try(b, 8))
	is.True(held(a, 8))
	is.True(b.Unlock(7) != nil) // not b's
	is.NoErr(a.Unlock(7))
	is.True(!held(b, 7))
	is.True(try(b, 7))
	is.NoErr(b.Close())
	is.NoErr(b.Close())
	is.True(!held(a, 7))
	is.True(!held(a, 8))
	_, err := b.TryLock(1)
	is.True(errors.Is(err, os.ErrClosed))
	_, err = a.TryLock(-1)
	is.True(err != nil)

	// Closing any other descriptor of the object drops nothing.
	is.True(try(a, 9))
	g, err := os.Open(f.Name())
	is.NoErr(err)
	is.NoErr(g.Close())
	is.True(held(openLivenessBy(t, f, kind), 9))
}

// Somebody who cleans a temporary directory takes the file of a lock away. To give
// such a lock up is no error, it can be taken again, and whoever took it meanwhile
// keeps it.
func TestFlockFileRemoved(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	l := openLivenessBy(t, f, openFlocks)
	for range 2 {
		ok, err := l.TryLock(5)
		is.NoErr(err)
		is.True(ok)
		is.NoErr(os.Remove(l.locks.(flockLocks).path(5)))
		is.NoErr(l.Unlock(5))
	}
	ok, err := l.TryLock(5)
	is.NoErr(err)
	is.True(ok)
	is.NoErr(os.Remove(l.locks.(flockLocks).path(5)))
	other := openLivenessBy(t, f, openFlocks)
	ok, err = other.TryLock(5)
	is.NoErr(err)
	is.True(ok)
	is.NoErr(l.Close())
	ok, err = openLivenessBy(t, f, openFlocks).Held(5)
	is.NoErr(err)
	is.True(ok)
}

// childHolder locks index 3 of the object of descriptor 3 with a kind of locks.
func childHolder(args []string) error {
	l, err := newLiveness(os.NewFile(3, "object"), kinds[args[0]])
	if err != nil {
		return err
	}
	if ok, err := l.TryLock(3); !ok {
		return errors.Join(errors.New("not locked"), err)
	}
	os.Stdout.WriteString("ready\n")
	untilParent()
	return nil
}

// The kernel drops the lock of a killed process and keeps that of a stopped one.
func TestLivenessFollowsTheProcess(t *testing.T) {
	for name := range kinds {
		t.Run(name, func(t *testing.T) { testFollowsTheProcess(t, name) })
	}
}

func testFollowsTheProcess(t *testing.T, kind string) {
	is := is.New(t)
	f := tempFile(t)
	l := openLivenessBy(t, f, kinds[kind])
	cmd := start(t, "holder", f, kind)
	held := func() bool {
		ok, err := l.Held(3)
		is.NoErr(err)
		return ok
	}
	is.True(held())
	is.NoErr(cmd.Process.Signal(syscall.SIGSTOP))
	for range 50 {
		is.True(held())
	}
	ok, err := l.TryLock(3)
	is.NoErr(err)
	is.True(!ok)
	kill(cmd)
	is.True(!held())
	ok, err = l.TryLock(3)
	is.NoErr(err)
	is.True(ok)
}
