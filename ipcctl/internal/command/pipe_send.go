package command

import (
	"github.com/ipcctl/ipc/pipe"
	"github.com/urfave/cli/v2"
)

func pipeSendVerb() *node {
	return &node{
		name:  "send",
		usage: "send messages into a FIFO",
		args:  "PATH [MESSAGE...]",
		about: "Each argument is a message; without any, stdin is one. It waits for a receiver.\n" +
			"Any number of processes may send at once: messages of up to 4092 bytes stay whole.",
		flags: []cli.Flag{
			linesFlag, timeoutFlag, othersFlag,
			&cli.BoolFlag{Name: "exclusive", Usage: "nobody else writes: messages may be larger"},
		},
		examples: []example{
			{"ipcctl pipe send /tmp/news.fifo hello world", "two messages"},
			{"tail -f log | ipcctl pipe send /tmp/news.fifo --lines", "one a line"},
		},
		run: func(c *call) error {
			ctx, cancel := c.within()
			defer cancel()
			exclusive := c.bool("exclusive")
			w, err := pipe.OpenWriter(ctx, c.arg(0), &pipe.WriterOptions{Exclusive: exclusive, AllowOthers: c.bool("allow-others")})
			if err != nil {
				return pipeAdvice(err)
			}
			defer w.Close()
			most := bound{pipe.MaxAtomic, pipe.ErrMessageSize}
			if exclusive {
				most.bytes = messageLimit
				w.SetLimit(messageLimit)
			}
			return pipeAdvice(c.each(ctx, c.args()[1:], most, func(msg []byte) error { return w.Send(ctx, msg) }))
		},
	}
}
