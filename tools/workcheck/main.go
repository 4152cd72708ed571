// Workcheck checks that the modules of the workspace fit together: what go.work
// uses and replaces, what each module may require and import, and the files
// that every module must have. Each line of its output names the file and says
// what to change. It exits 1 when there is anything to change.
//
//	go run ./tools/workcheck
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

func main() {
	dir := flag.String("C", ".", "the workspace's `directory`, or one inside it")
	flag.Parse()
	if flag.NArg() != 0 {
		fmt.Fprintf(os.Stderr, "workcheck: no arguments wanted, got %q\n", flag.Args())
		os.Exit(2)
	}
	problems, modules, err := run(*dir)
	for _, p := range problems {
		fmt.Println(p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "workcheck:", err)
		os.Exit(1)
	}
	if len(problems) > 0 {
		fmt.Fprintf(os.Stderr, "workcheck: %d to change\n", len(problems))
		os.Exit(1)
	}
	fmt.Printf("workcheck: %d modules fit together\n", modules)
}

// run returns what is to be changed and how many modules there are. The error
// says what could not be checked; the problems may tell why.
func run(dir string) (problems []string, modules int, err error) {
	root, err := workspace.FindRoot(dir)
	if err != nil {
		return nil, 0, err
	}
	ws, err := workspace.Load(root)
	if err != nil {
		return nil, 0, err
	}
	c := &checker{ws: ws}
	c.checkUse()
	c.checkReplace()
	c.checkGoLines()
	for _, m := range ws.Modules {
		if m.Dir == outside {
			continue
		}
		c.checkGoMod(m)
		c.checkGoSum(m)
		c.checkFiles(m)
	}
	err = errors.Join(c.checkLinks(), c.checkImports())
	return c.problems, len(ws.Modules), err
}
