package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/mod/module"

	"github.com/ipcctl/ipc/tools/internal/fixture"
	"github.com/ipcctl/ipc/tools/internal/workspace"
)

func load(t *testing.T, files map[string]string) *workspace.Workspace {
	t.Helper()
	ws, err := workspace.Load(fixture.Write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func TestPlanIsInDependencyOrder(t *testing.T) {
	is := is.New(t)
	got, err := tags(load(t, fixture.Workspace()))
	is.NoErr(err)
	is.Equal(got, []string{"demos/pipe/v0.1.0", "shm/v0.1.0", "queue/v0.1.0", "ipcctl/v0.1.0"})
}

func TestPlanOfThisWorkspace(t *testing.T) {
	is := is.New(t)
	root, err := workspace.FindRoot(".")
	is.NoErr(err)
	ws, err := workspace.Load(root)
	is.NoErr(err)
	got, err := tags(ws)
	is.NoErr(err)
	at := map[string]int{}
	for i, tag := range got {
		dir, _, _ := strings.Cut(tag, "/v")
		at[dir] = i
	}
	is.Equal(len(at), 12) // five libraries, ipcctl, six demos; no tools
	for _, pair := range [][2]string{{"acl", "socket"}, {"socket", "pipe"}, {"shm", "queue"}, {"queue", "ipcctl"}, {"pipe", "ipcctl"}, {"queue", "demos/queue"}} {
		is.True(at[pair[0]] < at[pair[1]]) // a module comes after what it requires
	}
}

func TestPlanRefuses(t *testing.T) {
	for name, edit := range map[string]func(files map[string]string){
		"a cycle": func(files map[string]string) {
			files["shm/go.mod"] += "\nrequire github.com/ipcctl/ipc/queue v0.1.0\n"
		},
		"two versions": func(files map[string]string) {
			files["queue/go.mod"] = strings.Replace(files["queue/go.mod"], "v0.1.0", "v0.2.0", 1)
		},
		"a sibling that is not there": func(files map[string]string) {
			files["shm/go.mod"] += "\nrequire github.com/ipcctl/ipc/other v0.1.0\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			files := fixture.Workspace()
			edit(files)
			_, err := tags(load(t, files))
			is.True(err != nil) // there is no order to publish these in
		})
	}
}

// newChecker stages a workspace that is checked without any network.
func newChecker(t *testing.T, files map[string]string) *checker {
	t.Helper()
	t.Setenv("GOPROXY", "off")
	ws := load(t, files)
	dir := t.TempDir()
	s, err := newStage(t.Context(), ws, "v0.1.0", dir)
	if err != nil {
		t.Fatal(err)
	}
	order, err := ws.InOrder()
	if err != nil {
		t.Fatal(err)
	}
	return &checker{
		stage: s, base: "none", order: order,
		sums: map[*workspace.Module][]byte{}, hashes: map[*workspace.Module]string{},
	}
}

// The steps that need no module of others, on a workspace that is ready.
func TestCheckFromOutside(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	c := newChecker(t, fixture.Workspace())
	is.NoErr(c.download(ctx))
	for _, m := range c.order {
		is.NoErr(c.tidyAndPack(ctx, m))
	}
	is.NoErr(c.sameZip(ctx))
	is.NoErr(c.shmAlone(ctx))
	is.NoErr(c.install(ctx, "ipcctl"))
	is.NoErr(c.runDemo(ctx, "demos/pipe"))

	// The stage has the hashes of siblings where the checkout must not.
	sum := string(c.sums[c.ws.Module("ipcctl")])
	is.True(strings.Contains(sum, "github.com/ipcctl/ipc/shm v0.1.0 h1:"))
	_, err := os.Stat(filepath.Join(c.ws.Root, "ipcctl", "go.sum"))
	is.True(os.IsNotExist(err)) // the checkout is as it was
}

func TestCheckFindsUntidyModule(t *testing.T) {
	is := is.New(t)
	files := fixture.Workspace()
	files["ipcctl/main.go"] = "// Command ipcctl is a fixture.\npackage main\n\nfunc main() {}\n"
	c := newChecker(t, files)
	for _, m := range c.order {
		err := c.tidyAndPack(t.Context(), m)
		if m.Dir != "ipcctl" {
			is.NoErr(err)
			continue
		}
		is.True(err != nil) // it requires what it no longer imports
		is.True(strings.Contains(err.Error(), "- github.com/ipcctl/ipc/queue v0.1.0"))
	}
}

// A user of shm alone must not get the queue.
func TestCheckFindsExtraModule(t *testing.T) {
	is := is.New(t)
	files := fixture.Workspace()
	maps.Copy(files, fixture.Library("acl", "module github.com/ipcctl/ipc/acl\n\ngo 1.25.0\n", "package acl\n"))
	files["shm/go.mod"] += "\nrequire github.com/ipcctl/ipc/acl v0.1.0\n"
	files["shm/extra.go"] = "package shm\n\nimport _ \"github.com/ipcctl/ipc/acl\"\n"
	c := newChecker(t, files)
	for _, m := range c.order {
		if err := c.tidyAndPack(t.Context(), m); err != nil && m.Dir != "ipcctl" && m.Dir != "queue" {
			t.Fatal(err)
		}
	}
	err := c.shmAlone(t.Context())
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "is also built from github.com/ipcctl/ipc/acl"))
}

// Without a LICENSE of its own a module gets the root's from git and none from
// its directory.
func TestCheckFindsOtherZip(t *testing.T) {
	is := is.New(t)
	files := fixture.Workspace()
	delete(files, "shm/LICENSE")
	c := newChecker(t, files)
	for _, m := range c.order {
		is.NoErr(c.tidyAndPack(t.Context(), m))
	}
	err := c.sameZip(t.Context())
	is.True(err != nil)
	is.True(strings.HasPrefix(err.Error(), "shm: the zip from git has h1:"))
}

func TestCheckFindsReplace(t *testing.T) {
	is := is.New(t)
	files := fixture.Workspace()
	files["demos/pipe/go.mod"] += "\nreplace example.com/x => ../x\n"
	c := newChecker(t, files)
	for _, m := range c.order {
		if err := c.tidyAndPack(t.Context(), m); err != nil && m.Dir != "demos/pipe" {
			t.Fatal(err)
		}
	}
	err := c.runDemo(t.Context(), "demos/pipe")
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "replace directives"))
}

func TestAgree(t *testing.T) {
	shm := &workspace.Module{Dir: "shm"}
	for name, tc := range map[string]struct {
		out, base string
		ok        bool
	}{
		"first":            {"Suggested version: v0.1.0 (with tag shm/v0.1.0)\n", "none", true},
		"with a summary":   {"# summary\nBase version: none\nSuggested version: v0.1.0 (with tag shm/v0.1.0)\n", "none", true},
		"another first":    {"Suggested version: v0.2.0 (with tag shm/v0.2.0)\n", "none", false},
		"lower first":      {"Suggested version: v0.0.1 (with tag shm/v0.0.1)\n", "none", false},
		"smaller step":     {"Suggested version: v0.0.10 (with tag shm/v0.0.10)\n", "v0.0.9", true},
		"greater step":     {"Suggested version: v0.2.0 (with tag shm/v0.2.0)\n", "v0.0.9", false},
		"another tag":      {"Suggested version: v0.1.0 (with tag v0.1.0)\n", "none", false},
		"no suggestion":    {"go.sum: one or more sums are missing.\n", "none", false},
		"empty suggestion": {"Suggested version: \n", "none", false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			err := agree(tc.out, shm, "v0.1.0", tc.base)
			is.Equal(err == nil, tc.ok) // gorelease and the requirements agree
		})
	}
}

func TestPrepare(t *testing.T) {
	is := is.New(t)
	t.Setenv("GOPROXY", "off")
	files := fixture.Workspace()
	files["queue/go.mod"] = strings.Replace(files["queue/go.mod"], "require ", "require github.com/ipcctl/ipc/shm v0.1.0 // twice\n\nrequire ", 1)
	ws := load(t, files)
	is.NoErr(prepare(t.Context(), ws, []string{"v0.2.0"}))

	after, err := workspace.Load(ws.Root)
	is.NoErr(err)
	version, err := after.Version()
	is.NoErr(err)
	is.Equal(version, "v0.2.0")
	var replaced []module.Version
	for _, r := range after.Work.Replace {
		replaced = append(replaced, r.Old)
		is.Equal("./"+strings.TrimPrefix(r.Old.Path, after.Prefix+"/"), r.New.Path)
	}
	is.Equal(replaced, []module.Version{
		{Path: "github.com/ipcctl/ipc/shm", Version: "v0.2.0"},
		{Path: "github.com/ipcctl/ipc/queue", Version: "v0.2.0"},
	})
	data, err := os.ReadFile(filepath.Join(ws.Root, "queue", "go.mod"))
	is.NoErr(err)
	is.Equal(strings.Count(string(data), "shm v0.2.0"), 1) // tidy: required once
	_, err = os.Stat(filepath.Join(ws.Root, "queue", "go.sum"))
	is.True(os.IsNotExist(err)) // hashes of siblings are not for the checkout
}

func TestPrepareRefuses(t *testing.T) {
	for name, version := range map[string]string{
		"no v": "0.2.0", "short": "v0.2", "build metadata": "v0.2.0+x", "a new major version": "v2.0.0", "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			files := fixture.Workspace()
			ws := load(t, files)
			is.True(prepare(t.Context(), ws, []string{version}) != nil) // not a version to release
			data, err := os.ReadFile(filepath.Join(ws.Root, "go.work"))
			is.NoErr(err)
			is.Equal(string(data), files["go.work"])
		})
	}
}
