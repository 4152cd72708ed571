// Release proves that the modules can be published, and says how.
//
//	go run ./tools/release check            prove it from outside, before anything is published
//	go run ./tools/release plan             print the tags in dependency order
//	go run ./tools/release prepare [v0.2.0] tidy every go.mod and go.sum, at a new version if one is given
//
// check and plan change nothing in the checkout. docs/RELEASING.md explains
// the whole procedure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

const usage = `usage: release [-C dir] check [-base version] [-keep]
       release [-C dir] plan
       release [-C dir] prepare [version]
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run returns the exit status: 0 done, 1 not ready for release, 2 usage.
func run(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	dir := flags.String("C", ".", "the workspace's directory, or one inside it")
	if flags.Parse(args) != nil {
		return 2
	}
	verbs := map[string]func(context.Context, *workspace.Workspace, []string) error{
		"check": check, "plan": plan, "prepare": prepare,
	}
	verb, ok := verbs[flags.Arg(0)]
	if !ok {
		flags.Usage()
		return 2
	}
	root, err := workspace.FindRoot(*dir)
	if err == nil {
		var ws *workspace.Workspace
		if ws, err = workspace.Load(root); err == nil {
			err = verb(ctx, ws, flags.Args()[1:])
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "release %s: %v\n", flags.Arg(0), err)
		return 1
	}
	return 0
}
