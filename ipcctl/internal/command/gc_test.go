//go:build unix

package command_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

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
