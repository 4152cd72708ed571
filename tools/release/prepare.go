package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

// prepare writes to the checkout: it raises the version at which the modules
// require each other, if one is given, and makes every go.mod and go.sum tidy.
func prepare(ctx context.Context, ws *workspace.Workspace, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("one version wanted, got %q", args)
	}
	version, err := ws.Version()
	if err != nil {
		return err
	}
	if len(args) == 1 && args[0] != version {
		version = args[0]
		if err := setVersion(ws, version); err != nil {
			return err
		}
		fmt.Println("required and replaced:", version)
	}
	dir, err := os.MkdirTemp("", "release-prepare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := newStage(ctx, ws, version, dir)
	if err != nil {
		return err
	}
	order, err := ws.InOrder()
	if err != nil {
		return err
	}
	for _, dir := range []string{"tools", "e2e"} {
		if m := ws.Module(dir); m != nil {
			order = append(order, m)
		}
	}
	for _, m := range order {
		if err := prepareModule(ctx, s, m); err != nil {
			return err
		}
	}
	return nil
}

func prepareModule(ctx context.Context, s *stage, m *workspace.Module) error {
	dir := filepath.Join(s.ws.Root, m.Dir)
	committed, err := readGoFiles(dir)
	if err != nil {
		return err
	}
	tidy, _, err := s.tidy(ctx, m)
	if err != nil {
		return err
	}
	if s.ws.Released(m) {
		if _, err := s.proxy.Add(s.at(m), s.src(m.Dir)); err != nil {
			return err
		}
	}
	diff := lineDiff(m.Dir+"/go.mod", committed.mod, tidy.mod) + lineDiff(m.Dir+"/go.sum", committed.sum, tidy.sum)
	if diff == "" {
		return nil
	}
	fmt.Print(diff)
	return tidy.write(dir)
}

// setVersion writes the version into every requirement of a sibling and every
// replace of go.work.
func setVersion(ws *workspace.Workspace, version string) error {
	if semver.Canonical(version) != version || semver.Build(version) != "" {
		return fmt.Errorf("%q is not a version like v0.2.0", version)
	}
	if major := semver.Major(version); major != "v0" && major != "v1" {
		return errors.New("from v2 on the module paths end in /v2: rehome the workspace first")
	}
	for _, m := range ws.Modules {
		changed := false
		for _, r := range m.File.Require {
			if ws.Owns(r.Mod.Path) {
				if err := m.File.AddRequire(r.Mod.Path, version); err != nil {
					return err
				}
				changed = true
			}
		}
		if !changed {
			continue
		}
		data, err := m.File.Format()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(ws.Root, m.Dir, "go.mod"), data, 0o644); err != nil {
			return err
		}
	}
	for _, r := range ws.Work.Replace {
		// Edited in place, to keep the block and its comment.
		if i := slices.Index(r.Syntax.Token, r.Old.Version); i > 0 && ws.Owns(r.Old.Path) {
			r.Syntax.Token[i] = version
		}
	}
	return os.WriteFile(filepath.Join(ws.Root, "go.work"), modfile.Format(ws.Work.Syntax), 0o644)
}
