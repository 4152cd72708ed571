package command_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestHostileNames: what a terminal obeys, in the name of a file or a process,
// does not reach it.
func TestHostileNames(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	const evil = "\x1b[2J\x07evil"
	fifo, dead := filepath.Join(dir, "fifo"+evil), filepath.Join(dir, "dead"+evil)
	is.NoErr(mkfifo(fifo, 0o600))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	is.NoErr(err)
	l.SetUnlinkOnClose(false)
	l.Close()

	sleep, err := exec.LookPath("sleep")
	is.NoErr(err)
	program, err := os.ReadFile(sleep)
	is.NoErr(err)
	is.NoErr(os.WriteFile(filepath.Join(dir, evil), program, 0o700)) // its name is the process's
	user := exec.CommandContext(t.Context(), filepath.Join(dir, evil), "1000")
	user.Args[0] = "sleep"
	file, err := os.OpenFile(fifo, os.O_RDWR, 0)
	is.NoErr(err)
	user.ExtraFiles = []*os.File{file}
	is.NoErr(user.Start())
	defer user.Wait()
	defer user.Process.Kill()
	file.Close()

	used := func() bool {
		return usedBy(find(conforms(t, "ipcctl ls", must(t, "", "ls", dir, "--kind", "fifo", "--json")), fifo), user.Process.Pid)
	}
	for !used() { // until it is started
		is.NoErr(t.Context().Err())
	}
	for _, line := range [][]string{
		{"ls", dir}, {"ls", "--why", dir}, {"gc", dir, "--older-than", "0s"}, {"stat", fifo}, {"stat", dead}, {"top", "--count", "1"},
	} {
		cmd := command(t, line...)
		cmd.Env = append(cmd.Env, "TMPDIR="+dir)
		r := finish(t, cmd)
		if !strings.Contains(r.out, "\uFFFD[2J\uFFFDevil") || strings.ContainsAny(r.out+r.err, "\x1b\x07") {
			t.Errorf("ipcctl %s: %q%q", strings.Join(line[:1], " "), r.out, r.err)
		}
	}
}
