package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/tools/internal/fixture"
	"github.com/ipcctl/ipc/tools/internal/workspace"
)

func TestReplacePath(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"import":             {`"example.com/ipc/shm"`, `"new.org/x/shm"`},
		"whole":              {"example.com/ipc", "new.org/x"},
		"sentence":           {"It is at example.com/ipc. Go there.", "It is at new.org/x. Go there."},
		"address":            {"https://example.com/ipc#readme", "https://new.org/x#readme"},
		"clone":              {"git clone https://example.com/ipc.git", "git clone https://new.org/x.git"},
		"several":            {"example.com/ipc example.com/ipc/a", "new.org/x new.org/x/a"},
		"adjacent":           {"example.com/ipcexample.com/ipc", "example.com/ipcexample.com/ipc"},
		"longer element":     {"example.com/ipc2/shm", "example.com/ipc2/shm"},
		"with suffix":        {"example.com/ipc-go", "example.com/ipc-go"},
		"with dotted suffix": {"example.com/ipc.v2", "example.com/ipc.v2"},
		"other host":         {"my-example.com/ipc", "my-example.com/ipc"},
		"nothing":            {"ipc", "ipc"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(string(replacePath([]byte(tc.in), "example.com/ipc", "new.org/x")), tc.want)
		})
	}
}

func TestRehomeRefuses(t *testing.T) {
	for name, prefix := range map[string]string{
		"the same path":  "github.com/ipcctl/ipc",
		"an empty path":  "",
		"no host":        "ipc",
		"a leading dash": "-x.com/ipc",
		"an address":     "https://github.com/you/ipc",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			files := fixture.Workspace()
			root := fixture.Write(t, files)
			changed, err := rehome(root, prefix)
			is.True(err != nil)       // not a path to move to
			is.Equal(len(changed), 0) // nothing was written
			for name, text := range files {
				data, err := os.ReadFile(filepath.Join(root, name))
				is.NoErr(err)
				is.Equal(string(data), text) // the file is as it was
			}
		})
	}
}

// A path that sorts after those of the dependencies: the blocks of imports and
// requirements need sorting again.
func TestRehomeSorts(t *testing.T) {
	is := is.New(t)
	root := fixture.Write(t, fixture.Workspace())
	is.NoErr(os.WriteFile(filepath.Join(root, "ipcctl", "x.go"), []byte(`package main

import (
	"github.com/ipcctl/ipc/shm"
	"github.com/zzz/other"
)
`), 0o644))
	changed, err := rehome(root, "zzz.org/ipc")
	is.NoErr(err)
	is.True(len(changed) > 0)
	data, err := os.ReadFile(filepath.Join(root, "ipcctl", "x.go"))
	is.NoErr(err)
	is.Equal(string(data), `package main

import (
	"github.com/zzz/other"
	"zzz.org/ipc/shm"
)
`)
}

// The workspace itself, moved: every module builds and vets, tests included,
// and the old path is nowhere.
func TestRehomeThisWorkspace(t *testing.T) {
	if testing.Short() {
		t.Skip("builds every module of the workspace")
	}
	is := is.New(t)
	here, err := workspace.FindRoot(".")
	is.NoErr(err)
	before, err := workspace.Load(here)
	is.NoErr(err)
	files, err := workspace.Files(here)
	is.NoErr(err)
	root := t.TempDir()
	is.NoErr(workspace.Copy(root, here, files))

	const prefix = "zoo.example/you/ipc"
	_, err = rehome(root, prefix)
	is.NoErr(err)

	after, err := workspace.Load(root)
	is.NoErr(err)
	is.Equal(after.Prefix, prefix)
	is.Equal(len(after.Modules), len(before.Modules))
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(root, name))
		is.NoErr(err)
		if isText(data) && strings.Contains(string(data), before.Prefix+"/") {
			t.Errorf("%s still says %s/", name, before.Prefix)
		}
	}
	for _, argv := range [][]string{
		{"go", "vet", "work"},
		{"go", "build", "work"},
	} {
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		cmd.Dir = root
		// -trimpath lets the build cache serve the next run, wherever it copies
		// to; so does building for this machine, whatever the test is built for.
		cmd.Env = append(os.Environ(), "PWD="+root, "GOWORK="+filepath.Join(root, "go.work"),
			"GOFLAGS=-trimpath -buildvcs=false", "GOOS=", "GOARCH=", "CGO_ENABLED=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s in the moved workspace: %v\n%s", strings.Join(argv, " "), err, out)
		}
	}
}
