package command

import (
	"fmt"

	"github.com/ipcctl/ipc/pipe"
	"github.com/urfave/cli/v2"
)

func pipeCreateVerb() *node {
	return &node{
		name:  "create",
		usage: "make a FIFO",
		args:  "PATH",
		flags: []cli.Flag{modeFlag, jsonFlag},
		examples: []example{
			{"ipcctl pipe create /tmp/news.fifo", "for yourself alone"},
			{"ipcctl pipe create /run/app/news.fifo --mode 0620", "the group may write"},
		},
		run: func(c *call) error {
			mode, err := c.mode()
			if err != nil {
				return err
			}
			if mode&0o600 != 0o600 {
				return usagef("--mode %s: the owner must be able to read and write", c.str("mode"))
			}
			f, err := pipe.Create(c.arg(0), &pipe.CreateOptions{Mode: mode})
			if err != nil {
				return pipeAdvice(err)
			}
			if c.json() {
				return c.print(struct {
					Path string `json:"path"`
					Mode string `json:"mode"`
				}{f.Path(), fmt.Sprintf("%04o", mode)})
			}
			fmt.Fprintln(c.out, f.Path())
			return nil
		},
	}
}
