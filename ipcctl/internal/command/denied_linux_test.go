//go:build !ipcportable

package command_test

import (
	"errors"
	"io/fs"
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

// open are the verbs that need nobody's leave: they show or measure what they may,
// or make what is their own.
var open = []string{"tour", "ls", "shm create", "queue create", "top", "gc", "doctor", "completion", "version"}

// TestDenied: each verb says with status 4, and in one line, that what belongs to
// somebody else is not for this user.
func TestDenied(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	is := is.New(t)
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
		code := cmd.ProcessState.ExitCode()
		saw(line, code)
		if text := errs.String(); code != 4 || out.String() != "" || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "ipcctl "+line[0]) {
			t.Errorf("%s: status %d, want 4 and one line: %q%q", strings.Join(line, " "), code, out.String(), text)
		}
		denied[verbs.VerbOf(line)] = true
	}
	for _, v := range verbs.Verbs() {
		if !v.Group && !denied[v.Name] && !slices.Contains(open, v.Name) {
			t.Errorf("%s: nobody was turned away from it", v.Name)
		}
	}
	is.Equal(must(t, "", "queue", "get", queue), "a\n") // all is as it was
	is.Equal(strings.Trim(must(t, "", "shm", "read", segment), "\x00\n"), "")
}
