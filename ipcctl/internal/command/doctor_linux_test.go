package command_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/queue"
	"github.com/matryer/is"
)

// TestDoctorOfHiddenProcesses: what is hidden from others is none of root's troubles.
func TestDoctorOfHiddenProcesses(t *testing.T) {
	is := is.New(t)
	for who, verdict := range map[string]string{"root": "ok", "stranger": "note"} {
		script := `mount -t proc -o hidepid=2 proc /proc && exec "$@"`
		line := []string{"--mount", "--pid", "--fork", "sh", "-c", script, "sh"}
		if who == "stranger" {
			line = append(line, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
		}
		if out, err := exec.Command("unshare", append(line[:len(line):len(line)], "true")...).CombinedOutput(); err != nil {
			t.Skipf("no namespaces of its own: %v: %s", err, out)
		}
		cmd := command(t, "doctor", "--json")
		cmd.Args = append(append([]string{"unshare"}, line...), cmd.Args...)
		cmd.Path, cmd.Err = exec.LookPath("unshare")
		out, _ := cmd.Output() // doctor's status is about all of the system
		is.True(len(out) > 0)
		for _, f := range conforms(t, "ipcctl doctor", string(out)) {
			if f["check"] == "/proc" {
				is.Equal(f["verdict"], verdict)
				is.Equal(strings.Contains(f["found"].(string), "hidepid"), who == "stranger")
			}
		}
	}
}

// TestDoctorOfOldKernels: what the libraries have another way for is worth knowing,
// and nothing fails by it.
func TestDoctorOfOldKernels(t *testing.T) {
	t.Parallel() // it builds a program
	is := is.New(t)
	oldkernel := filepath.Join(t.TempDir(), "oldkernel")
	const program = "github.com/ipcctl/ipc/tools/oldkernel"
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("oldkernel knows the calls of amd64 and arm64")
	}
	if out, err := exec.Command("go", "list", program).CombinedOutput(); err != nil {
		t.Skipf("only in the workspace: %s", out)
	}
	if out, err := exec.Command("go", "build", "-o", oldkernel, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	name := segmentName(t)
	defer queue.Remove(name)
	for lacking, found := range map[string]string{"ofd": "F_OFD_SETLK", "tmpfile": "O_TMPFILE"} {
		without := func(line ...string) string {
			cmd := command(t, line...)
			cmd.Path, cmd.Args = oldkernel, append([]string{oldkernel, "-lacks", lacking, binary}, line...)
			out, err := cmd.Output()
			if err != nil && line[0] != "doctor" { // whose status is about all of the system
				t.Fatal(line, err)
			}
			return string(out)
		}
		told := false
		for _, f := range conforms(t, "ipcctl doctor", without("doctor", "--json")) {
			if strings.Contains(f["found"].(string), found) {
				told = true
				is.Equal(f["verdict"], "note")
			}
		}
		is.True(told)
		without("queue", "create", name)
		without("queue", "put", name, "a")
		is.Equal(without("queue", "get", name), "a\n")
		without("queue", "rm", name)
	}
}
