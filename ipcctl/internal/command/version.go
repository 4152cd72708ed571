package command

import (
	"fmt"
	"runtime"

	"github.com/ipcctl/ipc/ipcctl/internal/version"
	"github.com/urfave/cli/v2"
)

func versionVerb() *node {
	return &node{
		name:    "version",
		instant: true,
		usage:   "print the version of this command",
		flags:   []cli.Flag{jsonFlag},
		examples: []example{
			{"ipcctl version", "the version, the Go release and the platform"},
		},
		run: func(c *call) error {
			if c.json() {
				return c.print(struct {
					Version  string `json:"version"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{version.Version(), runtime.Version(), version.Platform()})
			}
			fmt.Fprintln(c.out, version.Text()) // package early has tried and failed
			return nil
		},
	}
}
