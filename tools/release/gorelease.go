package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

// goreleaseAt is pinned: the newest version whose go line is not above ours.
const goreleaseAt = "golang.org/x/exp/cmd/gorelease@v0.0.0-20260218203240-3dfff04db8fa"

// installGorelease builds gorelease with the user's own module cache and
// proxy: it is a tool, and no part of what is released.
func (c *checker) installGorelease(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "install", goreleaseAt)
	cmd.Dir = filepath.Join(c.dir, "outside")
	cmd.Env = append(os.Environ(), "PWD="+cmd.Dir, "GOWORK=off", "GOOS=", "GOARCH=", "GOBIN="+filepath.Join(c.dir, "bin"), "GOFLAGS=-trimpath")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", goreleaseAt, err, out)
	}
	// gorelease looks at go.sum and refuses uncommitted changes: give it the
	// complete go.sum files, with the hashes of the siblings as packed here.
	for m, sum := range c.sums {
		if len(sum) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(c.src(m.Dir), "go.sum"), sum, 0o644); err != nil {
			return err
		}
	}
	return c.commit(ctx, "with the hashes of siblings")
}

// gorelease compares the version that gorelease suggests with the one that is
// to be released.
func (c *checker) gorelease(ctx context.Context, m *workspace.Module) error {
	// What is packed here is not published: gorelease must not find it there.
	show, err := c.proxy.Hide(m.Path())
	if err != nil {
		return err
	}
	defer show()
	out, err := c.run(ctx, siblingsStaged, c.src(m.Dir), filepath.Join(c.dir, "bin", "gorelease"), "-base="+c.base)
	if err != nil {
		return err
	}
	if c.base != "none" {
		fmt.Println(indent(out)) // incompatible changes are for a reader to judge
	}
	return agree(out, m, c.version, c.base)
}

// agree reads gorelease's answer: "Suggested version: v0.1.0 (with tag
// shm/v0.1.0)". A first release must be the suggestion. Later ones may be
// higher than it, since all modules move together with the one that changed
// most.
func agree(out string, m *workspace.Module, version, base string) error {
	_, after, ok := strings.Cut(out, "Suggested version: ")
	fields := strings.Fields(after)
	if !ok || len(fields) == 0 {
		return fmt.Errorf("gorelease suggests no version:\n%s", out)
	}
	suggested := fields[0]
	if base == "none" && suggested != version || semver.Compare(suggested, version) > 0 {
		return fmt.Errorf("gorelease suggests %s, the modules require each other at %s:\n%s", suggested, version, out)
	}
	if want := "(with tag " + m.Dir + "/" + suggested + ")"; !strings.Contains(out, want) {
		return fmt.Errorf("gorelease does not say %q:\n%s", want, out)
	}
	return nil
}
