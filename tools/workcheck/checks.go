package main

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

type checker struct {
	ws       *workspace.Workspace
	problems []string
}

func (c *checker) add(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// checkUse: go.work uses every module but the benchmarks, and every module's
// path is the prefix and its directory.
func (c *checker) checkUse() {
	used := map[string]bool{}
	for _, u := range c.ws.Work.Use {
		dir := path.Clean(filepath.ToSlash(u.Path))
		used[dir] = true
		if dir == outside {
			c.add("go.work: remove \"use ./%s\": its requirements must not reach the workspace", dir)
		} else if c.ws.Module(dir) == nil {
			c.add("go.work: remove \"use %s\": no go.mod there", u.Path)
		}
	}
	for _, m := range c.ws.Modules {
		if want := c.ws.Prefix + "/" + m.Dir; m.Path() != want {
			c.add("%s/go.mod: say \"module %s\", not %s: the path is the prefix and the directory", m.Dir, want, m.Path())
		}
		if !used[m.Dir] && m.Dir != outside {
			c.add("go.work: add \"use ./%s\": it has a go.mod", m.Dir)
		}
		if _, ok := rules[m.Dir]; !ok && m.Dir != outside {
			c.add("tools/workcheck/rules.go: add what %s may import", m.Dir)
		}
	}
}

// checkReplace: go.work replaces exactly the versions of siblings that some
// go.mod requires, each by its directory.
func (c *checker) checkReplace() {
	wanted := map[module.Version]string{} // -> the module that requires it
	for _, m := range c.ws.Modules {
		if m.Dir == outside {
			continue
		}
		for _, r := range m.File.Require {
			if c.ws.Owns(r.Mod.Path) {
				wanted[r.Mod] = m.Dir
			}
		}
	}
	have := map[module.Version]bool{}
	for _, r := range c.ws.Work.Replace {
		have[r.Old] = true
		dir, own := strings.CutPrefix(r.Old.Path, c.ws.Prefix+"/")
		switch {
		case !own:
			c.add("go.work: remove the replace of %s: only siblings are replaced", r.Old.Path)
		case wanted[r.Old] == "":
			c.add("go.work: remove \"replace %s %s\": no go.mod requires that version", r.Old.Path, r.Old.Version)
		case path.Clean(r.New.Path) != dir || r.New.Version != "":
			c.add("go.work: replace %s %s by ./%s, not by %s", r.Old.Path, r.Old.Version, dir, r.New)
		}
	}
	for v, dir := range wanted {
		if !have[v] {
			c.add("go.work: add \"replace %s %s => ./%s\": %s/go.mod requires it",
				v.Path, v.Version, strings.TrimPrefix(v.Path, c.ws.Prefix+"/"), dir)
		}
	}
	if _, err := c.ws.Version(); err != nil {
		c.add("%v", err)
	}
}

// checkGoLines: one Go version for go.work and every go.mod that it uses. The
// benchmarks need what the peers need.
func (c *checker) checkGoLines() {
	if c.ws.Work.Go == nil {
		c.add("go.work: add a go line")
		return
	}
	want := c.ws.Work.Go.Version
	for _, m := range c.ws.Modules {
		if m.Dir == outside {
			continue
		}
		if m.File.Go == nil || m.File.Go.Version != want {
			c.add("%s/go.mod: say \"go %s\", as go.work does", m.Dir, want)
		}
		if m.File.Toolchain != nil {
			c.add("%s/go.mod: remove the toolchain line: the go line alone says what is needed", m.Dir)
		}
	}
}

// checkGoMod: a go.mod that can be published, with the requirements that the
// module's rule allows and no others.
func (c *checker) checkGoMod(m *workspace.Module) {
	name := m.Dir + "/go.mod"
	for _, r := range m.File.Replace {
		c.add("%s: remove the replace of %s: \"go install\" refuses modules with replaces; siblings are replaced in go.work", name, r.Old.Path)
	}
	for _, x := range m.File.Exclude {
		c.add("%s: remove the exclude of %s: it works in the main module only", name, x.Mod.Path)
	}
	for _, t := range m.File.Tool {
		c.add("%s: move the tool %s to the tools module: its requirements would become the users'", name, t.Path)
	}
	r, ok := rules[m.Dir]
	if !ok {
		return
	}
	direct := append([]string{modTest}, r.others...)
	for _, s := range r.siblings {
		direct = append(direct, c.ws.Prefix+"/"+s)
	}
	for _, req := range m.File.Require {
		p := req.Mod.Path
		switch {
		case slices.Contains(direct, p):
		case req.Indirect && !r.library && !c.ws.Owns(p): // what its direct requirements bring
		case req.Indirect && (p == modSys || slices.Contains(reach(m.Dir), strings.TrimPrefix(p, c.ws.Prefix+"/"))):
		case req.Indirect:
			c.add("%s: remove the indirect requirement of %s: a library brings its users golang.org/x/sys and nothing else", name, p)
		default:
			c.add("%s: remove the requirement of %s: %s may require %s", name, p, m.Dir, strings.Join(direct, ", "))
		}
	}
}

// checkGoSum: hashes of other people's modules only. A sibling's hash changes
// with every edit of the sibling.
func (c *checker) checkGoSum(m *workspace.Module) {
	data, err := os.ReadFile(filepath.Join(c.ws.Root, m.Dir, "go.sum"))
	if os.IsNotExist(err) {
		return // a module without requirements has none
	}
	if err != nil {
		c.add("%v", err)
		return
	}
	if !bytes.Equal(data, c.ws.StripOwnSums(data)) {
		c.add("%s/go.sum: remove the lines that begin with %s/: a sibling's hash changes with every edit of the sibling", m.Dir, c.ws.Prefix)
	}
}

// maxDocLines keeps doc.go to what a reader takes in at once.
const maxDocLines = 40

// checkFiles: the files that must travel with the module, because what is
// published is the module's directory and nothing above it.
func (c *checker) checkFiles(m *workspace.Module) {
	files := []string{"README.md"}
	r := rules[m.Dir]
	if r.released {
		files = append(files, "CHANGELOG.md")
	}
	if r.library {
		files = append(files, "doc.go", "example_test.go")
	}
	for _, name := range files {
		info, err := os.Stat(filepath.Join(c.ws.Root, m.Dir, name))
		if err != nil || info.Size() == 0 {
			c.add("%s: write %s/%s", m.Dir, m.Dir, name)
		}
	}
	if doc, err := os.ReadFile(filepath.Join(c.ws.Root, m.Dir, "doc.go")); err == nil {
		if n := bytes.Count(doc, []byte("\n")); n > maxDocLines {
			c.add("%s/doc.go: shorten it from %d to %d lines, and let the README say the rest", m.Dir, n, maxDocLines)
		}
	}
	root, err := os.ReadFile(filepath.Join(c.ws.Root, "LICENSE"))
	if err != nil {
		c.add("write LICENSE: %v", err)
		return
	}
	own, err := os.ReadFile(filepath.Join(c.ws.Root, m.Dir, "LICENSE"))
	if err != nil || !bytes.Equal(own, root) {
		c.add("%s: copy LICENSE from the root to %s/LICENSE: a module is published without its parent directory", m.Dir, m.Dir)
	}
}
