// Rehome moves the whole workspace to another module path: go.mod and go.work
// files, imports, documents and scripts.
//
//	go run ./tools/rehome github.com/you/ipc
//
// It changes files in place, and nothing but the path: commit first, look at
// the diff after.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

func main() {
	dir := flag.String("C", ".", "the workspace's `directory`, or one inside it")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: rehome [-C dir] new/module/path") }
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	root, err := workspace.FindRoot(*dir)
	if err == nil {
		var changed []string
		if changed, err = rehome(root, flag.Arg(0)); err == nil {
			fmt.Printf("rehome: %d files now say %s\n", len(changed), flag.Arg(0))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehome:", err)
		os.Exit(1)
	}
}
