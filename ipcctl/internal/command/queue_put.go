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
			"is full; --timeout bounds that for each message anew.",
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
			most := bound{q.MaxMessage(), queue.ErrTooLarge}
			return c.queueAdvice(c.each(c.ctx, c.args()[1:], most, func(msg []byte) error { return c.put(q, msg) }))
		},
	}
}

// put puts a message, and waits for room as long as --timeout allows: for each message
// anew, because a full queue that moves is alive.
func (c *call) put(q *queue.Queue, msg []byte) error {
	if c.atOnce() {
		return c.waited(q.TryPut(msg), "full")
	}
	ctx, cancel := c.within()
	defer cancel()
	return c.waited(q.Put(ctx, msg), "full")
}
