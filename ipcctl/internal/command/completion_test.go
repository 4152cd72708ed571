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

// TestCompletionInBash completes a FIFO's path in a real shell. A name made to
// be run by a careless script is not offered.
func TestCompletionInBash(t *testing.T) {
	is := is.New(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash on PATH")
	}
	dir := t.TempDir()
	is.NoErr(mkfifo(filepath.Join(dir, "a.fifo"), 0o600))
	is.NoErr(mkfifo(filepath.Join(dir, "$(touch ran)"), 0o600))
	cmd := exec.Command(bash, "-c", `source <(ipcctl completion bash)
COMP_WORDS=(ipcctl pipe recv ""); COMP_CWORD=3; _ipcctl; printf '%s\n' "${COMPREPLY[@]}"`)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "TMPDIR="+dir, "XDG_RUNTIME_DIR=")
	out, err := cmd.CombinedOutput()
	is.NoErr(err)
	is.Equal(string(out), filepath.Join(dir, "a.fifo")+"\n")
	_, err = os.Stat(filepath.Join(dir, "ran"))
	is.True(os.IsNotExist(err))
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
