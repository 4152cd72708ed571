package command_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/rpc"
	"github.com/matryer/is"
)

// TestHostileNames: what a terminal obeys, in the name of a file or a process,
// does not reach it.
func TestHostileNames(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	const evil = "\x1b[2J\x07\u009bevil"
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
		if !strings.Contains(r.out, "\uFFFD[2J\uFFFD\uFFFDevil") || strings.ContainsAny(r.out+r.err, obeyed) {
			t.Errorf("ipcctl %s: %q%q", strings.Join(line[:1], " "), r.out, r.err)
		}
	}
	cmd := command(t, "ls", dir, "--kind", "fifo", "--json")
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	if r := finish(t, cmd); find(conforms(t, "ipcctl ls", r.out), fifo) == nil || strings.ContainsAny(r.out, obeyed) {
		t.Errorf("ls --json: %q", r.out) // it escapes them, and loses nothing
	}

	// Prometheus gets a name as it is, and a person doesn't.
	cmd = command(t, "metrics")
	cmd.Env = append(cmd.Env, "TMPDIR="+dir, "TERM=xterm", "NO_COLOR=1")
	code, out := withTerminal(t, 200, 50, cmd).end()
	is.Equal(code, 0)
	if !strings.Contains(out, "\uFFFD[2J\uFFFD\uFFFDevil") || strings.ContainsAny(out, obeyed) {
		t.Errorf("metrics: %q", out)
	}
}

// obeyed are characters that terminals take for orders.
const obeyed = "\x1b\x07\u009b\x7f"

// TestHostileErrors: nor does what comes from a server, or goes through a command.
func TestHostileErrors(t *testing.T) {
	is := is.New(t)
	const evil = "\x1b[2J\x07\u009b31mevil\x7f"
	path := filepath.Join(t.TempDir(), "r.sock")
	l, err := socket.Listen(path, nil)
	is.NoErr(err)
	srv := new(rpc.Server)
	srv.HandleFunc("/evil", func(context.Context, *rpc.Call) ([]byte, error) { return nil, errors.New(evil) })
	go srv.Serve(l)
	defer srv.Shutdown(t.Context())
	r := run(t, "", "socket", "call", path, "/evil", "x")
	is.Equal(r.code, 1)
	if !strings.Contains(r.err, "evil") || strings.ContainsAny(r.err, obeyed) {
		t.Errorf("socket call: %q", r.err)
	}

	path, server := serving(t, "--exec", "cat >&2; exit 1")
	run(t, "", "socket", "send", path, evil)
	if line := next(t, server.errs); !strings.Contains(line, "evil") || strings.ContainsAny(line, obeyed) {
		t.Errorf("socket serve: %q", line)
	}
}
