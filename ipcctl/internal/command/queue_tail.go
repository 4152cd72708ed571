package command

import (
	"fmt"
	"math"
	"time"

	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func queueTailVerb() *node {
	return &node{
		name:  "tail",
		usage: "print the messages in a queue, and leave them there",
		args:  "NAME",
		about: "With --follow it goes on with those that come. It looks ten times a second: what\n" +
			"others put and take in between is not seen. A queue that is closed and drained ends\n" +
			"it with status 0, and one that is removed with status 1.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "the newest `N` messages only"},
			&cli.BoolFlag{Name: "follow", Usage: "go on until it is interrupted"},
			rawFlag, jsonFlag,
		},
		examples: []example{
			{"ipcctl queue tail jobs --count 10", "what was put last"},
			{"ipcctl queue tail jobs --follow", "what comes in"},
		},
		run: queueTail,
	}
}

func queueTail(c *call) error {
	count := c.int("count")
	if c.set("count") && count < 1 {
		return usagef("--count %d: want at least 1", count)
	}
	r, err := queue.OpenReader(c.arg(0))
	if err != nil {
		return c.queueAdvice(err)
	}
	defer r.Close()
	var seen uint64 // the position of the newest entry that was printed
	const every = 100 * time.Millisecond
	for first := true; ; first = false {
		s, err := r.Stats() // first: what was put before the end is printed
		if err != nil {
			return c.queueAdvice(err)
		}
		msgs, err := r.Peek(math.MaxInt, messageLimit)
		if err != nil {
			return c.queueAdvice(err)
		}
		if n := len(msgs); first && count > 0 && n > count {
			msgs = msgs[n-count:]
		}
		newest := seen
		for _, m := range msgs {
			if first || m.Position > seen {
				if err := c.message(m.Data); err != nil {
					return err
				}
				newest = max(newest, m.Position)
			}
		}
		seen = newest
		switch {
		case !c.bool("follow"), s.ClosedWrite && s.Len == 0 && s.Leased == 0:
			return nil
		case s.Removed:
			return fmt.Errorf("queue %q: %w", r.Name(), queue.ErrRemoved)
		}
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-time.After(every):
		}
	}
}
