package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestMan(t *testing.T) {
	is := is.New(t)
	golden(t, "man.version.txt", must(t, "", "man", "version"))
	dir := filepath.Join(t.TempDir(), "man1")
	must(t, "", "man", "--dir", dir)
	pages, err := os.ReadDir(dir)
	is.NoErr(err)
	is.True(len(pages) > 20) // a page for every verb
	one, err := os.ReadFile(filepath.Join(dir, "ipcctl-version.1"))
	is.NoErr(err)
	is.Equal(string(one), must(t, "", "man", "version"))
	if _, err := exec.LookPath("groff"); err == nil {
		for _, p := range pages {
			out, err := exec.Command("groff", "-man", "-ww", "-z", filepath.Join(dir, p.Name())).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "" {
				t.Errorf("%s: %v\n%s", p.Name(), err, out)
			}
		}
	}
	fails(t, 2, []string{"man", "verison"}, `did you mean "version"?`)
	fails(t, 2, []string{"man", "ls", "--dir", dir}, "no verb")
}
