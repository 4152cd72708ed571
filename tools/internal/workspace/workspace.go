// Package workspace reads the Go workspace that the tools work on: its go.work
// and the go.mod of every module below it.
package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Module is one directory with a go.mod.
type Module struct {
	Dir  string // relative to the root, with slashes: "demos/pipe"
	File *modfile.File
}

// Path is the module's path as its go.mod declares it.
func (m *Module) Path() string { return m.File.Module.Mod.Path }

// Workspace is a go.work file and the modules found below its directory,
// whether or not go.work uses them.
type Workspace struct {
	Root    string // absolute
	Prefix  string // what every module path begins with: "github.com/ipcctl/ipc"
	Work    *modfile.WorkFile
	Modules []*Module // sorted by Dir
}

// FindRoot returns the nearest directory at or above dir that has a go.work.
func FindRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for d := start; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.work")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no go.work in %s or above: run this inside the workspace", start)
		}
	}
}

// Load reads the workspace at root. It reports files that can't be parsed;
// whether they agree with each other is for the caller to check.
func Load(root string) (*Workspace, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork("go.work", data, nil)
	if err != nil {
		return nil, err
	}
	ws := &Workspace{Root: root, Work: work}
	if err := filepath.WalkDir(root, ws.visit); err != nil {
		return nil, err
	}
	slices.SortFunc(ws.Modules, func(a, b *Module) int { return strings.Compare(a.Dir, b.Dir) })
	for _, m := range ws.Modules {
		if p, ok := strings.CutSuffix(m.Path(), "/"+m.Dir); ok {
			ws.Prefix = p
			return ws, nil
		}
	}
	return nil, fmt.Errorf("%s: no module whose path ends with its directory, so no common prefix", root)
}

func (ws *Workspace) visit(file string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name := d.Name()
	if d.IsDir() {
		hidden := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
		if file != ws.Root && (hidden || name == "testdata" || name == "vendor") {
			return fs.SkipDir
		}
		return nil
	}
	if name != "go.mod" {
		return nil
	}
	rel, err := filepath.Rel(ws.Root, file)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	f, err := modfile.Parse(rel, data, nil)
	if err != nil {
		return err
	}
	if f.Module == nil {
		return fmt.Errorf("%s: no module line", rel)
	}
	ws.Modules = append(ws.Modules, &Module{Dir: path.Dir(rel), File: f})
	return nil
}

// Module returns the module in directory dir, or nil.
func (ws *Workspace) Module(dir string) *Module {
	i := slices.IndexFunc(ws.Modules, func(m *Module) bool { return m.Dir == dir })
	if i < 0 {
		return nil
	}
	return ws.Modules[i]
}

// Owns reports whether the module or package path belongs to the workspace.
func (ws *Workspace) Owns(path string) bool {
	return path == ws.Prefix || strings.HasPrefix(path, ws.Prefix+"/")
}

// Released reports whether the module gets a version tag. The tools, the
// benchmarks and the tests with dependencies of their own live beside the
// product and are never published.
func (ws *Workspace) Released(m *Module) bool {
	return m.Dir != "tools" && m.Dir != "bench" && m.Dir != "e2e" && ws.Owns(m.Path())
}

// InOrder returns the released modules so that each one comes after every
// module that it requires; modules that don't depend on each other are in
// alphabetical order.
func (ws *Workspace) InOrder() ([]*Module, error) {
	const visiting, done = 1, 2
	state := map[*Module]int{}
	var order []*Module
	var visit func(m *Module) error
	visit = func(m *Module) error {
		switch state[m] {
		case done:
			return nil
		case visiting:
			return fmt.Errorf("%s/go.mod: the module requires itself through its siblings", m.Dir)
		}
		state[m] = visiting
		for _, r := range m.File.Require {
			if !ws.Owns(r.Mod.Path) {
				continue
			}
			dep := ws.Module(strings.TrimPrefix(r.Mod.Path, ws.Prefix+"/"))
			if dep == nil {
				return fmt.Errorf("%s/go.mod: requires %s, which no directory of the workspace holds", m.Dir, r.Mod.Path)
			}
			if err := visit(dep); err != nil {
				return err
			}
		}
		state[m] = done
		order = append(order, m)
		return nil
	}
	for _, m := range ws.Modules {
		if !ws.Released(m) {
			continue
		}
		if err := visit(m); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// Version is the one version at which the modules require each other, which
// is the version that all of them are released at.
func (ws *Workspace) Version() (string, error) {
	version, from := "", ""
	for _, m := range ws.Modules {
		if !ws.Released(m) {
			continue
		}
		for _, r := range m.File.Require {
			switch {
			case !ws.Owns(r.Mod.Path):
			case version == "":
				version, from = r.Mod.Version, m.Dir
			case version != r.Mod.Version:
				return "", fmt.Errorf("%s/go.mod requires %s %s, %s/go.mod is at %s: siblings are released together at one version",
					m.Dir, r.Mod.Path, r.Mod.Version, from, version)
			}
		}
	}
	if version == "" {
		return "", errors.New("no module requires a sibling, so nothing says which version is next")
	}
	return version, nil
}

// StripOwnSums removes the lines of a go.sum that hold hashes of the
// workspace's own modules.
func (ws *Workspace) StripOwnSums(gosum []byte) []byte {
	var kept []byte
	for line := range strings.Lines(string(gosum)) {
		if mod, _, _ := strings.Cut(line, " "); !ws.Owns(mod) {
			kept = append(kept, line...)
		}
	}
	return kept
}
