package command

import (
	"errors"

	"github.com/ipcctl/ipc/shm"
)

func shmRmVerb() *node {
	return &node{
		name:  "rm",
		usage: "remove segments by name",
		args:  "NAME...",
		about: "Processes that are attached keep their memory; its space is free when the last\n" +
			"of them has ended its use.",
		examples: []example{{"ipcctl shm rm frames", "remove one"}},
		run: func(c *call) error {
			var failed []error
			for _, name := range c.args() {
				if err := shm.Remove(name); err != nil {
					failed = append(failed, err)
				}
			}
			return shmAdvice(errors.Join(failed...))
		},
	}
}
