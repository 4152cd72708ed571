//go:build unix

package command_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

// TestGCInterrupted: one interrupt ends the removal too, and what is gone by then is told.
func TestGCInterrupted(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	const many = 1000
	for i := range many {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, strconv.Itoa(i)), Net: "unix"})
		is.NoErr(err)
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	left := func() (n int) {
		entries, err := os.ReadDir(dir)
		is.NoErr(err)
		for _, e := range entries {
			if e.Type() == os.ModeSocket {
				n++
			}
		}
		return n
	}
	b := start(t, "", "gc", "--yes", "--json", "--kind=socket", "--older-than=0", dir)
	for left() == many {
		is.NoErr(t.Context().Err())
	}
	is.NoErr(b.cmd.Process.Signal(os.Interrupt))
	removed := 0
	for line := range b.lines {
		if o := conforms(t, "ipcctl gc", line)[0]; o["action"] == "removed" && filepath.Dir(o["name"].(string)) == dir {
			removed++
		}
	}
	is.Equal(b.status(t), -1)
	is.True(removed > 0 && removed < many)
	is.Equal(left(), many-removed)
}

// TestGCForeign has a user who may not remove what is proven dead: gc says so,
// fails, and leaves it.
func TestGCForeign(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	is.NoErr(err)
	l.SetUnlinkOnClose(false)
	l.Close()
	o := find(conforms(t, "ipcctl gc", must(t, "", "gc", "--json", "--older-than=0", dir)), path)
	is.Equal(o["action"], "would-remove")
	if os.Getuid() != 0 {
		t.Skip("only root can act for another user")
	}
	is.NoErr(os.Chmod(path, 0o777)) // anybody may find out that it is dead
	for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		is.NoErr(os.Chmod(d, 0o755))
	}
	cmd := command(t, "gc", "--yes", "--json", "--kind=socket", "--older-than=0", dir)
	is.NoErr(os.Chmod(filepath.Dir(binary), 0o755))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	r := finish(t, cmd)
	is.Equal(r.code, 1)
	is.Equal(find(conforms(t, "ipcctl gc", r.out), path)["action"], "failed")
	_, err = os.Lstat(path)
	is.NoErr(err) // it is still there
}
