package command_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestDoctorOfHiddenProcesses: what is hidden from others is none of root's troubles.
func TestDoctorOfHiddenProcesses(t *testing.T) {
	is := is.New(t)
	for who, verdict := range map[string]string{"root": "ok", "stranger": "note"} {
		script := `mount -t proc -o hidepid=2 proc /proc || exit 9; exec "$@"`
		line := []string{"--mount", "--pid", "--fork", "sh", "-c", script, "sh"}
		if who == "stranger" {
			line = append(line, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
		}
		cmd := command(t, "doctor", "--json")
		cmd.Args = append(append([]string{"unshare"}, line...), cmd.Args...)
		cmd.Path, cmd.Err = exec.LookPath("unshare")
		out, err := cmd.Output()
		if cmd.Err != nil || os.Getuid() != 0 || cmd.ProcessState.ExitCode() == 9 || len(out) == 0 {
			t.Skipf("no namespaces of its own: %v", err)
		}
		for _, f := range conforms(t, "ipcctl doctor", string(out)) {
			if f["check"] == "/proc" {
				is.Equal(f["verdict"], verdict)
				is.Equal(strings.Contains(f["found"].(string), "hidepid"), who == "stranger")
			}
		}
	}
}
