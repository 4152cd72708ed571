package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ipcctl/ipc/tools/internal/goproxy"
	"github.com/ipcctl/ipc/tools/internal/workspace"
)

// checker runs the steps of a check and keeps what failed.
type checker struct {
	*stage
	base   string // what gorelease compares with: a version, or "none"
	order  []*workspace.Module
	sums   map[*workspace.Module][]byte // complete go.sum files, siblings included
	hashes map[*workspace.Module]string
	failed []string
}

func check(ctx context.Context, ws *workspace.Workspace, args []string) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	base := flags.String("base", "none", "published `version` whose API gorelease compares with")
	keep := flags.Bool("keep", false, "keep the temporary directory and print its name")
	if err := flags.Parse(args); err != nil {
		return err
	}
	version, err := ws.Version()
	if err != nil {
		return err
	}
	order, err := ws.InOrder()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "release-check-")
	if err != nil {
		return err
	}
	if *keep {
		fmt.Println("kept:", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	s, err := newStage(ctx, ws, version, dir)
	if err != nil {
		return err
	}
	c := &checker{
		stage: s, base: *base, order: order,
		sums: map[*workspace.Module][]byte{}, hashes: map[*workspace.Module]string{},
	}
	c.all(ctx)
	if len(c.failed) > 0 {
		return fmt.Errorf("%s is not ready, failed: %s", version, strings.Join(c.failed, ", "))
	}
	fmt.Printf("%s is ready: \"go run ./tools/release plan\" prints the tags\n", version)
	return nil
}

func (c *checker) all(ctx context.Context) {
	c.step("download what is not ours", func() error { return c.download(ctx) })
	for _, m := range c.order {
		c.step("tidy, pack "+m.Dir, func() error { return c.tidyAndPack(ctx, m) })
	}
	for _, dir := range []string{"tools", "e2e"} {
		if m := c.ws.Module(dir); m != nil {
			c.step("tidy "+dir, func() error { return c.checkTidy(ctx, m) })
		}
	}
	c.step("same zip from git", func() error { return c.sameZip(ctx) })
	c.step("outside: shm alone", func() error { return c.shmAlone(ctx) })
	c.step("outside: go install ipcctl", func() error { return c.install(ctx, "ipcctl") })
	c.step("outside: go run demos/pipe", func() error { return c.runDemo(ctx, "demos/pipe") })
	for _, m := range c.order {
		if strings.HasPrefix(m.Dir, "demos/") {
			c.step("outside: go install "+m.Dir, func() error { return c.install(ctx, m.Dir) })
		}
	}
	c.step("install gorelease", func() error { return c.installGorelease(ctx) })
	for _, m := range c.order {
		c.step("gorelease "+m.Dir, func() error { return c.gorelease(ctx, m) })
	}
}

func (c *checker) step(name string, f func() error) {
	start := time.Now()
	err := f()
	took := time.Since(start).Round(10 * time.Millisecond)
	if err != nil {
		c.failed = append(c.failed, name)
		fmt.Printf("FAIL  %-36s %8s\n%s\n", name, took, indent(err.Error()))
		return
	}
	fmt.Printf("ok    %-36s %8s\n", name, took)
}

func indent(text string) string {
	return "      " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      ")
}

// download fetches the modules of others that a user of any of ours needs, and
// has them verified by the checksum database, which no go.sum does for a new
// user. After it the outside programs need no network.
func (c *checker) download(ctx context.Context) error {
	var wanted []string
	for _, m := range c.order {
		for _, r := range m.File.Require {
			if v := r.Mod.String(); !c.ws.Owns(r.Mod.Path) && !slices.Contains(wanted, v) {
				wanted = append(wanted, v)
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	argv := append([]string{"go", "mod", "download"}, wanted...)
	_, err := c.run(ctx, siblingsStaged, filepath.Join(c.dir, "outside"), argv...)
	return err
}

// checkTidy compares what is committed with what "go mod tidy" makes of it.
func (c *checker) checkTidy(ctx context.Context, m *workspace.Module) error {
	committed, err := readGoFiles(c.src(m.Dir))
	if err != nil {
		return err
	}
	tidy, sum, err := c.tidy(ctx, m)
	if err != nil {
		return err
	}
	c.sums[m] = sum
	var diff string
	diff += lineDiff(m.Dir+"/go.mod", committed.mod, tidy.mod)
	diff += lineDiff(m.Dir+"/go.sum", committed.sum, tidy.sum)
	if diff != "" {
		return fmt.Errorf("not tidy; \"go run ./tools/release prepare\" makes these changes:\n%s", diff)
	}
	return nil
}

// tidyAndPack packs the module even when it was not tidy, so that one mistake
// is not reported again by each of its dependants.
func (c *checker) tidyAndPack(ctx context.Context, m *workspace.Module) error {
	err := c.checkTidy(ctx, m)
	hash, packErr := c.proxy.Add(c.at(m), c.src(m.Dir))
	c.hashes[m] = hash
	if err != nil {
		return err
	}
	return packErr
}

// sameZip makes a git repository of the copy and packs every module from it,
// as a public proxy will: what was checked here must be what users get.
func (c *checker) sameZip(ctx context.Context) error {
	if err := c.commit(ctx, "as released"); err != nil {
		return err
	}
	for _, m := range c.order {
		hash, err := goproxy.HashVCS(c.at(m), c.src(""), "HEAD", m.Dir, filepath.Join(c.dir, "vcs.zip"))
		if err != nil {
			return err
		}
		if hash != c.hashes[m] {
			return fmt.Errorf("%s: the zip from git has %s, from the directory %s: is its LICENSE there, and all of it tracked?", m.Dir, hash, c.hashes[m])
		}
	}
	return nil
}

// commit records the copy of the checkout in a repository of its own.
func (c *checker) commit(ctx context.Context, message string) error {
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "--all", "--force"},
		{"-c", "user.name=release", "-c", "user.email=release@localhost", "-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", message},
	} {
		if _, err := c.run(ctx, nothingNew, c.src(""), append([]string{"git"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// lineDiff lists the lines that only one of two files has.
func lineDiff(name string, old, new []byte) string {
	if bytes.Equal(old, new) {
		return ""
	}
	was, is := slices.Collect(strings.Lines(string(old))), slices.Collect(strings.Lines(string(new)))
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", name)
	for _, l := range was {
		if !slices.Contains(is, l) {
			fmt.Fprintf(&b, "  - %s\n", strings.TrimSpace(l))
		}
	}
	for _, l := range is {
		if !slices.Contains(was, l) {
			fmt.Fprintf(&b, "  + %s\n", strings.TrimSpace(l))
		}
	}
	if b.Len() == len(name)+1 {
		b.WriteString("  the same lines in another order\n")
	}
	return b.String()
}
