package command

import (
	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func queuePutVerb() *node {
	return &node{
		name:  "put",
		usage: "put messages into a queue",
		args:  "NAME [MESSAGE...]",
		about: "Each argument is a message; without any, stdin is one. It waits while the queue\n" +
			"is full.",
		flags: []cli.Flag{linesFlag, timeoutFlag},
		examples: []example{
			{"ipcctl queue put jobs one 'number two'", "two messages"},
			{"ipcctl queue put jobs < report.pdf", "a file as one message"},
			{"seq 100 | ipcctl queue put jobs --lines", "a hundred messages"},
		},
		run: func(c *call) error {
			q, err := queue.Open(c.arg(0), nil)
			if err != nil {
				return c.queueAdvice(err)
			}
			defer q.Close()
			return c.each(c.args()[1:], func(msg []byte) error {
				ctx, cancel := c.within() // for each message: a full queue that moves is alive
				defer cancel()
				return c.queueAdvice(c.waited(q.Put(ctx, msg), "full"))
			})
		},
	}
}
