package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/tools/internal/fixture"
)

func TestFittingWorkspace(t *testing.T) {
	is := is.New(t)
	problems, modules, err := run(fixture.Write(t, fixture.Workspace()))
	is.NoErr(err)
	is.Equal(strings.Join(problems, "\n"), "")
	is.Equal(modules, 4)
}

// Each change to the fitting workspace must be noticed, and be all that is.
func TestProblems(t *testing.T) {
	for name, tc := range map[string]struct {
		replace map[string][2]string // file -> old text, new text
		write   map[string]string    // file -> text
		remove  string
		want    []string
	}{
		"a module that is not used": {
			write: fixture.Library("acl", "module github.com/ipcctl/ipc/acl\n\ngo 1.25.0\n", "package acl\n"),
			want:  []string{`go.work: add "use ./acl": it has a go.mod`},
		},
		"a module without a rule": {
			write: fixture.Library("other", "module github.com/ipcctl/ipc/other\n\ngo 1.25.0\n", "package other\n"),
			want: []string{
				`go.work: add "use ./other": it has a go.mod`,
				"tools/workcheck/rules.go: add what other may import",
			},
		},
		"benchmarks in the workspace": {
			replace: map[string][2]string{"go.work": {"\t./shm\n", "\t./shm\n\t./bench\n"}},
			write:   map[string]string{"bench/go.mod": "module github.com/ipcctl/ipc/bench\n\ngo 1.25.0\n"},
			want:    []string{`go.work: remove "use ./bench": its requirements must not reach the workspace`},
		},
		"benchmarks outside it": {
			write: map[string]string{"bench/go.mod": "module github.com/ipcctl/ipc/bench\n\ngo 1.26.0\n\nreplace github.com/ipcctl/ipc/shm => ../shm\n"},
		},
		"another path": {
			replace: map[string][2]string{"demos/pipe/go.mod": {"ipc/demos/pipe", "ipc/demo/pipe"}},
			want:    []string{"demos/pipe/go.mod: say \"module github.com/ipcctl/ipc/demos/pipe\", not github.com/ipcctl/ipc/demo/pipe: the path is the prefix and the directory"},
		},
		"no replace for a requirement": {
			replace: map[string][2]string{"go.work": {"replace github.com/ipcctl/ipc/queue v0.1.0 => ./queue", ""}},
			want:    []string{`go.work: add "replace github.com/ipcctl/ipc/queue v0.1.0 => ./queue": ipcctl/go.mod requires it`},
		},
		"a replace that nothing requires": {
			replace: map[string][2]string{"go.work": {"replace github.com/ipcctl/ipc/queue", "replace github.com/ipcctl/ipc/queue v0.0.9 => ./queue\n\nreplace github.com/ipcctl/ipc/queue"}},
			want:    []string{`go.work: remove "replace github.com/ipcctl/ipc/queue v0.0.9": no go.mod requires that version`},
		},
		"a replace of somebody else's module": {
			replace: map[string][2]string{"go.work": {"replace github.com/ipcctl/ipc/queue", "replace golang.org/x/sys => ./shm\n\nreplace github.com/ipcctl/ipc/queue"}},
			want:    []string{"go.work: remove the replace of golang.org/x/sys: only siblings are replaced"},
		},
		"a replace by its directory in other words": {
			replace: map[string][2]string{"go.work": {"=> ./queue", "=> ./demos/../queue/."}},
		},
		"a replace by another directory": {
			replace: map[string][2]string{"go.work": {"=> ./queue", "=> ./shm"}},
			want:    []string{"go.work: replace github.com/ipcctl/ipc/queue v0.1.0 by ./queue, not by ./shm"},
		},
		"two versions": {
			replace: map[string][2]string{
				"queue/go.mod": {"shm v0.1.0", "shm v0.2.0"},
				"go.work":      {"replace github.com/ipcctl/ipc/queue", "replace github.com/ipcctl/ipc/shm v0.2.0 => ./shm\n\nreplace github.com/ipcctl/ipc/queue"},
			},
			want: []string{"queue/go.mod requires github.com/ipcctl/ipc/shm v0.2.0, ipcctl/go.mod is at v0.1.0: siblings are released together at one version"},
		},
		"another go line": {
			replace: map[string][2]string{"shm/go.mod": {"go 1.25.0", "go 1.24.0"}},
			want:    []string{`shm/go.mod: say "go 1.25.0", as go.work does`},
		},
		"a toolchain line": {
			replace: map[string][2]string{"shm/go.mod": {"go 1.25.0", "go 1.25.0\n\ntoolchain go1.25.3"}},
			want:    []string{"shm/go.mod: remove the toolchain line: the go line alone says what is needed"},
		},
		"a replace in a go.mod": {
			replace: map[string][2]string{"queue/go.mod": {"require", "replace github.com/ipcctl/ipc/shm => ../shm\n\nrequire"}},
			want:    []string{`queue/go.mod: remove the replace of github.com/ipcctl/ipc/shm: "go install" refuses modules with replaces; siblings are replaced in go.work`},
		},
		"a tool in a go.mod": {
			replace: map[string][2]string{"shm/go.mod": {"go 1.25.0", "go 1.25.0\n\ntool github.com/ipcctl/ipc/shm"}},
			want:    []string{"shm/go.mod: move the tool github.com/ipcctl/ipc/shm to the tools module: its requirements would become the users'"},
		},
		"a dependency the wrong way round": {
			replace: map[string][2]string{
				"shm/go.mod": {"go 1.25.0", "go 1.25.0\n\nrequire github.com/ipcctl/ipc/queue v0.1.0"},
				"shm/shm.go": {"package shm\n", "package shm\n\nimport _ \"github.com/ipcctl/ipc/queue\"\n"},
			},
			want: []string{
				"shm/go.mod: remove the requirement of github.com/ipcctl/ipc/queue: shm may require github.com/matryer/is, golang.org/x/sys",
				"shm: github.com/ipcctl/ipc/shm imports github.com/ipcctl/ipc/queue: shm may import golang.org/x/sys",
			},
		},
		"an indirect requirement of a library": {
			replace: map[string][2]string{"shm/go.mod": {"go 1.25.0", "go 1.25.0\n\nrequire github.com/ipcctl/ipc/queue v0.1.0 // indirect"}},
			want:    []string{"shm/go.mod: remove the indirect requirement of github.com/ipcctl/ipc/queue: a library brings its users golang.org/x/sys and nothing else"},
		},
		"an import on one platform only": {
			write: map[string]string{"queue/queue_darwin.go": "package queue\n\nimport _ \"golang.org/x/net/trace\"\n"},
			want:  []string{"queue: github.com/ipcctl/ipc/queue imports golang.org/x/net/trace: queue may import shm, golang.org/x/sys"},
		},
		"the test helper outside tests": {
			write: map[string]string{"queue/helper.go": "package queue\n\nimport _ \"github.com/matryer/is\"\n"},
			want:  []string{"queue: github.com/ipcctl/ipc/queue imports github.com/matryer/is: queue may import shm, golang.org/x/sys"},
		},
		"the test helper in tests": {
			write: map[string]string{"queue/queue_test.go": "package queue\n\nimport _ \"github.com/matryer/is\"\n"},
		},
		"a sibling's hash": {
			write: map[string]string{"queue/go.sum": "github.com/ipcctl/ipc/shm v0.1.0 h1:o7XGOvZQCADBQQ4Y7VNq2dRWQR7JmOUW8Kxx4ZsNgWs=\n"},
			want:  []string{"queue/go.sum: remove the lines that begin with github.com/ipcctl/ipc/: a sibling's hash changes with every edit of the sibling"},
		},
		"links": {
			write: map[string]string{"docs/A.md": "[a](../shm/README.md) [b](B.md#x) [c](https://example.com/d) [e](#f)\n\n[g](../shm)\n"},
			want:  []string{"docs/A.md: correct the link to B.md: it leads nowhere"},
		},
		"another license": {
			write: map[string]string{"shm/LICENSE": "Don't.\n"},
			want:  []string{"shm: copy LICENSE from the root to shm/LICENSE: a module is published without its parent directory"},
		},
		"no readme of a demo":     {remove: "demos/pipe/README.md", want: []string{"demos/pipe: write demos/pipe/README.md"}},
		"no changelog":            {remove: "ipcctl/CHANGELOG.md", want: []string{"ipcctl: write ipcctl/CHANGELOG.md"}},
		"no examples":             {remove: "shm/example_test.go", want: []string{"shm: write shm/example_test.go"}},
		"no package comment":      {remove: "queue/doc.go", want: []string{"queue: write queue/doc.go"}},
		"a long package comment":  {write: map[string]string{"shm/doc.go": strings.Repeat("// x\n", 50) + "package shm\n"}, want: []string{"shm/doc.go: shorten it from 51 to 40 lines, and let the README say the rest"}},
		"an empty package readme": {write: map[string]string{"shm/README.md": ""}, want: []string{"shm: write shm/README.md"}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			files := fixture.Workspace()
			maps.Copy(files, tc.write)
			for file, r := range tc.replace {
				is.True(strings.Contains(files[file], r[0])) // the case changes the file
				files[file] = strings.Replace(files[file], r[0], r[1], 1)
			}
			root := fixture.Write(t, files)
			if tc.remove != "" {
				is.NoErr(os.Remove(filepath.Join(root, tc.remove)))
			}
			problems, _, err := run(root)
			is.NoErr(err)
			is.Equal(strings.Join(problems, "\n"), strings.Join(tc.want, "\n"))
		})
	}
}

func TestUnreadableWorkspace(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no go.work":        {"a/go.mod": "module example.com/a\n"},
		"a bad go.work":     {"go.work": "use (\n", "a/go.mod": "module example.com/a\n"},
		"a bad go.mod":      {"go.work": "go 1.25.0\n", "a/go.mod": "modul example.com/a\n"},
		"no modules":        {"go.work": "go 1.25.0\n"},
		"an unnamed module": {"go.work": "go 1.25.0\n", "a/go.mod": "go 1.25.0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, _, err := run(fixture.Write(t, files))
			is.True(err != nil) // there is nothing to check
		})
	}
}
