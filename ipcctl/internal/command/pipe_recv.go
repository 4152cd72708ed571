package command

import (
	"errors"
	"io"

	"github.com/ipcctl/ipc/pipe"
	"github.com/urfave/cli/v2"
)

func pipeRecvVerb() *node {
	return &node{
		name:  "recv",
		usage: "receive messages from a FIFO",
		args:  "PATH",
		about: "It waits for a sender. With --follow it goes on with the next sender when the one\n" +
			"before has gone, until it is interrupted. Senders that go before --count messages\n" +
			"have come end it with status 1.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "end after `N` messages", Value: 1},
			&cli.BoolFlag{Name: "follow", Usage: "go on for ever"},
			timeoutFlag, othersFlag, rawFlag, jsonFlag,
		},
		examples: []example{
			{"ipcctl pipe recv /tmp/news.fifo", "one message"},
			{"ipcctl pipe recv /tmp/news.fifo --follow --json", "all, with their sizes"},
		},
		run: pipeRecv,
	}
}

func pipeRecv(c *call) error {
	follow := c.bool("follow")
	if follow && c.set("count") {
		return usagef("--count and --follow exclude each other")
	}
	n := c.int("count")
	if n < 1 {
		return usagef("--count %d: want at least 1", n)
	}
	ctx, cancel := c.within()
	defer cancel()
	r, err := pipe.OpenReader(ctx, c.arg(0), &pipe.ReaderOptions{Persistent: follow, AllowOthers: c.bool("allow-others")})
	if err != nil {
		return pipeAdvice(err)
	}
	defer r.Close()
	r.SetLimit(messageLimit)
	if !follow { // what comes after its messages is for whoever receives next
		r.NoReadAhead()
	}
	for i := 0; follow || i < n; i++ {
		msg, err := r.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return advise(errors.New("the senders have gone"), "--follow waits for the next")
		}
		if follow && errors.Is(err, io.ErrUnexpectedEOF) { // costs that message alone
			c.notef("ipcctl pipe recv: %v", err)
			continue
		}
		if err != nil {
			return pipeAdvice(err)
		}
		if err := c.message(msg); err != nil {
			return err
		}
	}
	return nil
}
