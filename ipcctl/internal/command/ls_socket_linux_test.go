package command_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// TestLsRelative: a socket that was bound by a relative path is shown as the kernel
// has it, and not as the file of that name where ls runs.
func TestLsRelative(t *testing.T) {
	is := is.New(t)
	here, err := os.Getwd()
	is.NoErr(err)
	t.Chdir(t.TempDir())
	name := filepath.Base(t.TempDir()) + "-" + segmentName(t) + ".sock"
	l, err := net.Listen("unix", name)
	is.NoErr(err)
	defer l.Close()
	t.Chdir(here)
	cmd := command(t, "ls", "--kind", "socket", "--json")
	cmd.Dir = t.TempDir()
	is.NoErr(os.WriteFile(filepath.Join(cmd.Dir, name), nil, 0o604))
	o := find(conforms(t, "ipcctl ls", finish(t, cmd).out), name)
	is.Equal(o["state"], "live")
	is.Equal(o["mode"], "")
	is.Equal(o["uid"], -1.0)
	is.True(usedBy(o, os.Getpid()))
}

// TestGCBound: a socket that is bound and does not listen yet refuses connections too.
// The kernel knows it by the path that its owner gave, which may be a relative one.
func TestGCBound(t *testing.T) {
	is := is.New(t)
	here, err := os.Getwd()
	is.NoErr(err)
	dir := t.TempDir()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	is.NoErr(err)
	t.Chdir(dir)
	is.NoErr(unix.Bind(fd, &unix.SockaddrUnix{Name: "bound.sock"}))
	t.Chdir(here)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "dead.sock"), Net: "unix"})
	is.NoErr(err)
	l.SetUnlinkOnClose(false)
	l.Close()
	path := filepath.Join(dir, "bound.sock")
	gc := func() map[string]any {
		return find(conforms(t, "ipcctl gc", must(t, "", "gc", "--json", "--kind", "socket", "--older-than", "0", dir)), path)
	}
	if o := gc(); o != nil {
		t.Errorf("gc of a bound socket: %v", o)
	}
	is.NoErr(unix.Close(fd))
	is.Equal(gc()["action"], "would-remove")
}
