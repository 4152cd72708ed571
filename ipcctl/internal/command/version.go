package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

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
				}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			fmt.Fprintln(c.out, versionText())
			return nil
		},
	}
}

func versionText() string {
	return fmt.Sprintf("ipcctl %s %s %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version is the module's version when the command was installed from a
// release, else "devel" with the revision that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return strings.TrimPrefix(v, "v")
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
