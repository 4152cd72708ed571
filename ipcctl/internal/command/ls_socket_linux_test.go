package command_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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

// TestLsOtherPaths: where a socket's file has another path than it was bound by, both are
// told right.
func TestLsOtherPaths(t *testing.T) {
	is := is.New(t)
	here, err := os.Getwd()
	is.NoErr(err)
	dir := t.TempDir()
	folder, link := filepath.Join(dir, "folder"), filepath.Join(dir, "link")
	is.NoErr(os.Mkdir(folder, 0o700))
	is.NoErr(os.Symlink(folder, link))
	byLink, err := net.Listen("unix", filepath.Join(link, "link.sock")) // as /var/run/x.sock on most hosts
	is.NoErr(err)
	defer byLink.Close()
	t.Chdir(folder)
	relative, err := net.Listen("unix", "relative.sock")
	is.NoErr(err)
	defer relative.Close()
	t.Chdir(here)
	fifo := filepath.Join(folder, "fifo")
	is.NoErr(mkfifo(fifo, 0o600))
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	is.NoErr(err)
	defer f.Close()

	objects := conforms(t, "ipcctl ls", must(t, "", "ls", "--json", folder))
	for path, why := range map[string]string{
		filepath.Join(link, "link.sock"):       "it listens",
		filepath.Join(folder, "link.sock"):     "it listens as " + filepath.Join(link, "link.sock"),
		filepath.Join(folder, "relative.sock"): "perhaps of the one that listens as relative.sock",
	} {
		o := find(objects, path)
		is.Equal(o["state"], "live")
		if text := o["why"].(string); !strings.Contains(text, why) || strings.Contains(text, "network namespace") {
			t.Errorf("%s: %s, want %s", path, text, why)
		}
		is.Equal(usedBy(o, os.Getpid()), !strings.Contains(path, "relative"))
	}
	// A folder may be named by its link too.
	o := find(conforms(t, "ipcctl ls", must(t, "", "ls", "--json", "--kind", "fifo", link)), filepath.Join(link, "fifo"))
	is.Equal(o["state"], "live")
	is.True(usedBy(o, os.Getpid()))
}

// TestLsOtherRoots: a server whose files are not where this process sees them, as one with
// a temporary folder of its own, is no orphan.
func TestLsOtherRoots(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "private.sock")
	const script = `mount -t tmpfs tmpfs "$1" && shift && exec "$@"`
	line := []string{"--mount", "--propagation", "private", "sh", "-c", script, "sh", filepath.Dir(path)}
	if out, err := exec.Command("unshare", append(line[:len(line):len(line)], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no mount namespace of its own: %v: %s", err, out)
	}
	cmd := command(t, "socket", "serve", path)
	cmd.Args = append(append([]string{"unshare"}, line...), cmd.Args...)
	cmd.Path, cmd.Err = exec.LookPath("unshare")
	server := launch(t, "listening", cmd)
	look := func() map[string]any {
		return find(conforms(t, "ipcctl ls", must(t, "", "ls", "--json", "--kind", "socket")), path)
	}
	o := look()
	is.Equal(o["state"], "live")
	is.True(strings.Contains(o["why"].(string), "sees it, and not here"))
	is.True(usedBy(o, server.cmd.Process.Pid))
	is.NoErr(os.Remove(filepath.Join("/proc", strconv.Itoa(server.cmd.Process.Pid), "root", path)))
	is.Equal(look()["state"], "orphan") // nobody at all can connect to it
	server.cmd.Process.Signal(os.Interrupt)
	<-server.done
}
