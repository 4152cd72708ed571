package main

import (
	"context"
	"fmt"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

// plan prints one tag a line, each after the tags of the modules that it
// requires, so that at no moment a published version needs one that is not.
func plan(_ context.Context, ws *workspace.Workspace, args []string) error {
	if len(args) != 0 {
		return fmt.Errorf("no arguments wanted, got %q", args)
	}
	tags, err := tags(ws)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		fmt.Println(tag)
	}
	return nil
}

func tags(ws *workspace.Workspace) ([]string, error) {
	version, err := ws.Version()
	if err != nil {
		return nil, err
	}
	order, err := ws.InOrder()
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, m := range order {
		tags = append(tags, tag(m, version))
	}
	return tags, nil
}

// tag is the form of a version tag that the go command looks for when the
// module is in a subdirectory of its repository.
func tag(m *workspace.Module, version string) string { return m.Dir + "/" + version }
