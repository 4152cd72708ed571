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

func openLiveness(t testing.TB, f *os.File) *Liveness {
	t.Helper()
	l, err := OpenLiveness(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLivenessExcludes(t *testing.T) {
	is := is.New(t)
	f := tempFile(t)
	a, b := openLiveness(t, f), openLiveness(t, f)
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
	is.True(held(openLiveness(t, f), 9))
}

// childHolder locks index 3 of the object of descriptor 3.
func childHolder([]string) error {
	l, err := OpenLiveness(os.NewFile(3, "object"))
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
	is := is.New(t)
	f := tempFile(t)
	l := openLiveness(t, f)
	cmd := start(t, "holder", f)
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
