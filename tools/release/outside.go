package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// outsideProgram imports shm and nothing else of ours.
//
//go:embed outside.go.txt
var outsideProgram string

const outsideModule = "example.com/outside"

// shmAlone does what a user does who wants shared memory and nothing else,
// and looks at what came with it.
func (c *checker) shmAlone(ctx context.Context) error {
	shm := c.ws.Prefix + "/shm"
	dir, err := os.MkdirTemp(filepath.Join(c.dir, "outside"), "shm-")
	if err != nil {
		return err
	}
	program := strings.ReplaceAll(outsideProgram, "PREFIX", c.ws.Prefix)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o644); err != nil {
		return err
	}
	for _, argv := range [][]string{
		{"go", "mod", "init", outsideModule},
		{"go", "get", shm + "@" + c.version},
		{"go", "build", "-o", filepath.Join(c.dir, "bin", "outside"), "."},
	} {
		if _, err := c.run(ctx, nothingNew, dir, argv...); err != nil {
			return err
		}
	}
	if out, err := c.run(ctx, nothingNew, dir, filepath.Join(c.dir, "bin", "outside")); err != nil {
		return err
	} else if out != "hello\n" {
		return fmt.Errorf("the program printed %q, not what it had written to shared memory", out)
	}
	built, err := c.run(ctx, nothingNew, dir, "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
	if err != nil {
		return err
	}
	if extra := others(built, outsideModule, shm, "golang.org/x/sys"); len(extra) > 0 {
		return fmt.Errorf("a program that imports %s alone is also built from %s", shm, strings.Join(extra, ", "))
	}
	graph, err := c.run(ctx, nothingNew, dir, "go", "list", "-m", "-f", "{{.Path}}", "all")
	if err != nil {
		return err
	}
	if extra := others(graph, outsideModule, shm, "golang.org/x/sys", "github.com/matryer/is"); len(extra) > 0 {
		return fmt.Errorf("%s brings these modules into its users' module graph: %s", shm, strings.Join(extra, ", "))
	}
	return nil
}

// others returns the lines of a list that are not among the expected ones.
func others(list string, expected ...string) []string {
	var extra []string
	for _, line := range strings.Fields(list) {
		if !slices.Contains(expected, line) && !slices.Contains(extra, line) {
			extra = append(extra, line)
		}
	}
	return extra
}

// install is "go install" of a command by its version from an empty directory.
func (c *checker) install(ctx context.Context, dir string) error {
	pkg := c.ws.Prefix + "/" + dir
	empty := filepath.Join(c.dir, "outside")
	if _, err := c.run(ctx, nothingNew, empty, "go", "install", pkg+"@"+c.version); err != nil {
		return err
	}
	out, err := c.run(ctx, nothingNew, empty, "go", "version", "-m", filepath.Join(c.dir, "bin", filepath.Base(dir)))
	if err != nil {
		return err
	}
	if want := "\tmod\t" + pkg + "\t" + c.version + "\t"; !strings.Contains(out, want) {
		return fmt.Errorf("the installed %s does not say that it is %s %s:\n%s", filepath.Base(dir), pkg, c.version, out)
	}
	return nil
}

// runDemo is "go run" of a demo that needs neither arguments nor input.
func (c *checker) runDemo(ctx context.Context, dir string) error {
	out, err := c.run(ctx, nothingNew, filepath.Join(c.dir, "outside"), "go", "run", c.ws.Prefix+"/"+dir+"@"+c.version)
	if err == nil && strings.TrimSpace(out) == "" {
		return fmt.Errorf("%s printed nothing", dir)
	}
	return err
}
