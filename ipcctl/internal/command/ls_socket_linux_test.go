package command_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
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
