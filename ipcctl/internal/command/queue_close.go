package command

import "github.com/ipcctl/ipc/queue"

func queueCloseVerb() *node {
	return &node{
		name:  "close",
		usage: "close a queue for writing",
		args:  "NAME",
		about: "Nothing can be put any more. Consumers get what is there, and then the end. It\n" +
			"can't be undone.",
		examples: []example{
			{"ipcctl queue close jobs", "let the workers finish and end"},
		},
		run: func(c *call) error {
			q, err := queue.Open(c.arg(0), nil)
			if err != nil {
				return c.queueAdvice(err)
			}
			defer q.Close()
			return q.CloseWrite()
		},
	}
}
