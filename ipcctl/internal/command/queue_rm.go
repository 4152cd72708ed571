package command

import (
	"errors"
	"os"

	"github.com/ipcctl/ipc/queue"
)

func queueRmVerb() *node {
	return &node{
		name:  "rm",
		usage: "remove queues by name, with what is in them",
		args:  "NAME...",
		about: "Processes that have it open go on among themselves; nobody new can come.",
		examples: []example{
			{"ipcctl queue rm jobs", "remove one"},
		},
		run: func(c *call) error {
			var failed []error
			for _, name := range c.args() {
				if err := queue.Remove(name); err != nil {
					failed = append(failed, err)
				}
			}
			err := errors.Join(failed...)
			if errors.Is(err, os.ErrNotExist) {
				return advise(err, "ipcctl ls --kind queue lists what there is")
			}
			return c.queueAdvice(err)
		},
	}
}
