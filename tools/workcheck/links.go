package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ipcctl/ipc/tools/internal/workspace"
)

// link matches the target of a Markdown link, without its fragment.
var link = regexp.MustCompile(`\]\(([^)\s#]+)(?:#[^)\s]*)?\)`)

// checkLinks: every link of a document to a file of the workspace leads there.
func (c *checker) checkLinks() error {
	files, err := workspace.Files(c.ws.Root)
	if err != nil {
		return err
	}
	for _, name := range files {
		if filepath.Ext(name) != ".md" || strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(c.ws.Root, name))
		if err != nil {
			return err
		}
		for _, match := range link.FindAllSubmatch(text, -1) {
			target := string(match[1])
			if strings.Contains(target, ":") {
				continue // an address elsewhere
			}
			if _, err := os.Stat(filepath.Join(c.ws.Root, filepath.Dir(name), target)); err != nil {
				c.add("%s: correct the link to %s: it leads nowhere", name, target)
			}
		}
	}
	return nil
}
