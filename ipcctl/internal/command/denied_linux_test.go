//go:build !ipcportable

package command_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	verbs "github.com/ipcctl/ipc/ipcctl/internal/command"
	"github.com/matryer/is"
)

// stranger is a user who owns nothing, nobody on many systems.
const stranger = 65534

// asStranger runs the command as that user.
func asStranger(t *testing.T, line ...string) result {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	cmd := command(t, line...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); errors.Is(err, fs.ErrPermission) {
		t.Skip("this root can't be another user: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	saw(line, cmd.ProcessState.ExitCode())
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// open are the verbs that need nobody's leave: they show or measure what they may,
// or make what is their own.
var open = []string{"tour", "ls", "shm create", "queue create", "top", "gc", "doctor", "completion", "version"}

// TestDenied: each verb says with status 4, and in one line, that what belongs to
// somebody else is not for this user.
func TestDenied(t *testing.T) {
	is := is.New(t)
	asStranger(t, "version") // skips where that can't be
	queue, segment, dir := newQueue(t, "--max-attempts", "2"), segmentName(t), t.TempDir()
	must(t, "", "queue", "put", queue, "a")
	must(t, "", "shm", "create", "--size", "64", "--name", segment)
	path, _ := serving(t)
	fifo, policy := filepath.Join(dir, "fifo"), filepath.Join(dir, "policy.acl")
	is.NoErr(mkfifo(fifo, 0o600))
	is.NoErr(os.WriteFile(policy, nil, 0o600))
	denied := map[string]bool{}
	for _, line := range [][]string{
		{"shm", "write", segment, "x"}, {"shm", "read", segment}, {"shm", "dump", segment}, {"shm", "watch", segment}, {"shm", "rm", segment},
		{"queue", "put", queue, "x"}, {"queue", "get", queue}, {"queue", "stat", queue}, {"queue", "tail", queue}, {"queue", "dead", queue},
		{"queue", "requeue", queue}, {"queue", "close", queue}, {"queue", "rm", queue}, {"stat", queue},
		{"pipe", "create", filepath.Join(dir, "another")}, {"pipe", "send", fifo, "x"}, {"pipe", "recv", fifo},
		{"socket", "serve", filepath.Join(dir, "another.sock")}, {"socket", "send", path, "x"}, {"socket", "call", path, "/echo", "x"},
		{"acl", "check", "--policy", policy, "--uid", "1", "--action", "get", "--resource", "queue:x"},
		{"acl", "explain", "--policy", policy, "--uid", "1", "--action", "get", "--resource", "queue:x"},
		{"acl", "lint", policy}, {"acl", "test", policy}, {"acl", "apply", fifo, "--policy", policy, "--resource", "pipe:/x"},
		{"metrics", "--serve", filepath.Join(dir, "another.sock")}, {"bench", "--compare", policy}, {"latency", "--compare", policy},
		{"man", "--dir", filepath.Join(dir, "man")},
	} {
		r := asStranger(t, line...)
		if r.code != 4 || r.out != "" || strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "ipcctl "+line[0]) {
			t.Errorf("%s: status %d, want 4 and one line: %q%q", strings.Join(line, " "), r.code, r.out, r.err)
		}
		denied[verbs.VerbOf(line)] = true
	}
	for _, v := range verbs.Verbs() {
		if !v.Group && !denied[v.Name] && !slices.Contains(open, v.Name) {
			t.Errorf("%s: nobody was turned away from it", v.Name)
		}
	}
	is.True(strings.Contains(asStranger(t, "queue", "dead", queue).err, "owner and mode")) // and not that it has none
	is.Equal(must(t, "", "queue", "get", queue), "a\n")                                    // all is as it was
	is.Equal(strings.Trim(must(t, "", "shm", "read", segment), "\x00\n"), "")
}

// TestWaitersOfOthers: who may not trace a process is not told what it waits for,
// and that this is so.
func TestWaitersOfOthers(t *testing.T) {
	is := is.New(t)
	asStranger(t, "version")
	queue := newQueue(t, "--mode", "0644")
	b := start(t, "", "queue", "get", queue)
	line := func(out string) string {
		for _, l := range strings.Split(out, "\n") {
			if strings.Contains(l, queue) {
				return l
			}
		}
		return ""
	}
	for !strings.Contains(line(must(t, "", "top", "--count", "1", "--kind", "queue")), "1 get") {
		is.NoErr(t.Context().Err())
	}
	r := asStranger(t, "top", "--count", "1", "--kind", "queue")
	is.Equal(r.code, 0)
	is.True(strings.Contains(line(r.out), "?") && !strings.Contains(line(r.out), "get"))
	o := find(conforms(t, "ipcctl top", asStranger(t, "top", "--count", "1", "--kind", "queue", "--json").out), queue)
	is.Equal(o["waiters"].(map[string]any)["hidden"], true)
	b.interrupt(t)
}

// TestLsUnseenServer: of a server that may not be looked into nobody knows where its file is.
func TestLsUnseenServer(t *testing.T) {
	is := is.New(t)
	asStranger(t, "version")
	path := filepath.Join(t.TempDir(), "unseen.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	is.NoErr(err)
	defer l.Close()
	is.NoErr(os.Remove(path))
	is.NoErr(os.Chmod(filepath.Dir(path), 0o755))
	is.NoErr(os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755))
	o := find(conforms(t, "ipcctl ls", asStranger(t, "ls", "--json", "--kind", "socket").out), path)
	is.Equal(o["state"], "live")
	is.True(strings.Contains(o["why"].(string), "or only others see it"))
}
