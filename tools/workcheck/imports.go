package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// pkg is what is used of the output of go list.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// checkImports: every package imports, on every platform, only what its
// module's rule allows. Direct imports are enough: what they import in turn is
// checked at their own module.
func (c *checker) checkImports() error {
	seen := map[string]bool{} // problems are the same on most platforms
	for _, p := range platforms {
		packages, err := list(c.ws.Root, p.goos, p.tags)
		if err != nil {
			return err
		}
		for _, pkg := range packages {
			dir := c.dirOf(pkg.ImportPath)
			r := rules[dir]
			allowed := append([]string{}, r.siblings...)
			c.checkPackage(seen, dir, pkg.ImportPath, "", pkg.Imports, allowed, r.others)
			tests := append(slices.Clone(pkg.TestImports), pkg.XTestImports...)
			c.checkPackage(seen, dir, pkg.ImportPath, "a test of ", tests, append(allowed, reach(dir)...), append([]string{modTest}, r.others...))
		}
	}
	return nil
}

func (c *checker) checkPackage(seen map[string]bool, dir, from, who string, imports, siblings, others []string) {
	for _, imp := range imports {
		if c.mayImport(dir, imp, siblings, others) {
			continue
		}
		p := fmt.Sprintf("%s: %s%s imports %s: %s may import %s", dir, who, from, imp, dir,
			strings.Join(append(slices.Clone(siblings), others...), ", "))
		if !seen[p] {
			seen[p] = true
			c.add("%s", p)
		}
	}
}

func (c *checker) mayImport(dir, imp string, siblings, others []string) bool {
	if c.ws.Owns(imp) {
		owner := c.dirOf(imp)
		return owner == dir || slices.Contains(siblings, owner)
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	return slices.ContainsFunc(others, func(mod string) bool {
		return imp == mod || strings.HasPrefix(imp, mod+"/")
	})
}

// dirOf returns the directory of the module that holds the package.
func (c *checker) dirOf(importPath string) string {
	best := ""
	for _, m := range c.ws.Modules {
		p := m.Path()
		if (importPath == p || strings.HasPrefix(importPath, p+"/")) && len(m.Dir) > len(best) {
			best = m.Dir
		}
	}
	return best
}

// list returns the packages of all modules that go.work uses.
func list(root, goos, tags string) ([]pkg, error) {
	cmd := exec.Command("go", "list", "-e", "-tags="+tags, "-json=ImportPath,Imports,TestImports,XTestImports", "work")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK="+root+"/go.work")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list (GOOS=%s): %w\n%s", goos, err, stderr.Bytes())
	}
	var packages []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list (GOOS=%s): %w", goos, err)
		}
		packages = append(packages, p)
	}
}
