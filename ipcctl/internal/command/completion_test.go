package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// offered returns the words that may stand in the place of the last one.
func offered(t *testing.T, words ...string) []string {
	t.Helper()
	var out []string
	for _, line := range strings.Split(must(t, "", append([]string{"complete-words", "--"}, words...)...), "\n") {
		if w, _, ok := strings.Cut(line, "\t"); ok {
			out = append(out, w)
		}
	}
	return out
}

func TestCompletion(t *testing.T) {
	is := is.New(t)
	is.Equal(offered(t, "vers"), []string{"version"})
	is.Equal(offered(t, "socket", "se"), []string{"serve", "send"})
	is.Equal(offered(t, "ls", "--ki"), []string{"--kind"})
	is.Equal(offered(t, "ls", "--kind", "s"), []string{"shm", "socket", "sysv-shm", "sysv-sem", "sysv-msg"})
	is.Equal(offered(t, "completion", ""), []string{"bash", "zsh", "fish"})
	is.Equal(offered(t, "nonsense", ""), nil)
}

// inShell prepares a shell in a folder with two FIFOs, one of which has a name
// made to be run by a careless script. ipcctl is on its PATH.
func inShell(t *testing.T, shell string, args ...string) (cmd *exec.Cmd, fifo string) {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("no %s on PATH", shell)
	}
	dir := t.TempDir()
	for _, n := range []string{"a.fifo", "$(touch ran)"} {
		if err := mkfifo(filepath.Join(dir, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(dir, "ran")); !os.IsNotExist(err) {
			t.Errorf("%s ran the name of a FIFO: %v", shell, err)
		}
	})
	cmd = exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "TMPDIR="+dir, "XDG_RUNTIME_DIR=", "HOME="+dir, "TERM=xterm")
	return cmd, filepath.Join(dir, "a.fifo")
}

func TestCompletionInBash(t *testing.T) {
	is := is.New(t)
	cmd, fifo := inShell(t, "bash", "-c", `source <(ipcctl completion bash)
COMP_WORDS=(ipcctl pipe recv ""); COMP_CWORD=3; _ipcctl; printf '%s\n' "${COMPREPLY[@]}"`)
	out, err := cmd.CombinedOutput()
	is.NoErr(err)
	is.Equal(string(out), fifo+"\n")
}

func TestCompletionInFish(t *testing.T) {
	is := is.New(t)
	cmd, fifo := inShell(t, "fish", "--no-config", "-c", `ipcctl completion fish | source
complete -C "ipcctl pipe recv "; complete -C "ipcctl vers"; complete -C "ipcctl ls --kind fi"`)
	out, err := cmd.CombinedOutput()
	is.NoErr(err)
	is.Equal(string(out), fifo+"\tfifo, idle\nversion\tprint the version of this command\nfifo\n")
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := must(t, "", "completion", shell)
		golden(t, "completion."+shell+".txt", script)
		if path, err := exec.LookPath(shell); err == nil {
			cmd := exec.Command(path, "-n")
			cmd.Stdin = strings.NewReader(script)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", shell, err, out)
			}
		}
	}
	fails(t, 2, []string{"completion", "csh"}, `no script for "csh"`)
	fails(t, 2, []string{"completion"}, "bash|zsh|fish is missing")
}
