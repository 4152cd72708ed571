// Package early answers "ipcctl version" before the packages of the other verbs
// initialise.
//
// Go initialises a package once all that it imports are, and of several that
// could be next the one with the first import path; all of them before main
// runs. This one imports only os and version, so it comes before the parser of
// command lines, the metrics, the plots and the screen, which together take as
// long as the start of several small programs. Everything else runs from main.
package early

import (
	"os"

	"github.com/ipcctl/ipc/ipcctl/internal/version"
)

func init() {
	if !version.Early || len(os.Args) != 2 || os.Args[1] != "version" && os.Args[1] != "--version" {
		return
	}
	// Where writing fails, main tries again and says why.
	if _, err := os.Stdout.WriteString(version.Text() + "\n"); err == nil {
		os.Exit(0)
	}
}
