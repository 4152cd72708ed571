// Command ipcctl shows, uses, measures and cleans up the objects that
// processes on one host talk through: Unix sockets, shared memory, pipes and
// queues. "ipcctl --help" lists its verbs, README.md explains them.
package main

import (
	"os"

	"github.com/ipcctl/ipc/ipcctl/internal/command"
	_ "github.com/ipcctl/ipc/ipcctl/internal/early" // answers "version" before anything else
)

func main() { os.Exit(command.Main()) }
