package command

import (
	"errors"
	"fmt"
	"io"

	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func queueGetVerb() *node {
	return &node{
		name:  "get",
		usage: "take messages out of a queue and print them",
		args:  "NAME",
		about: "It waits for a message. Each is gone from the queue only once it is written to\n" +
			"stdout: if this process is killed before, somebody else gets it. A queue that is\n" +
			"closed and drained ends --follow with status 0, and anything else with status 1.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "end after `N` messages", Value: 1},
			&cli.BoolFlag{Name: "follow", Usage: "go on until the queue is closed and drained"},
			timeoutFlag, rawFlag, jsonFlag,
		},
		examples: []example{
			{"ipcctl queue get jobs", "the oldest message"},
			{"ipcctl queue get jobs --timeout 0 || echo nothing there", "without waiting: status 5 if empty"},
			{"ipcctl queue get jobs --follow | while read -r job; do …; done", "a worker"},
		},
		run: queueGet,
	}
}

func queueGet(c *call) error {
	follow, n := c.bool("follow"), c.int("count")
	switch {
	case follow && c.set("count"):
		return usagef("--count and --follow exclude each other")
	case n < 1:
		return usagef("--count %d: want at least 1", n)
	}
	q, err := queue.Open(c.arg(0), nil)
	if err != nil {
		return c.queueAdvice(err)
	}
	defer q.Close()
	for i := 0; follow || i < n; i++ {
		switch err := getOne(c, q); {
		case errors.Is(err, io.EOF) && follow:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("queue %q is closed for writing and drained", q.Name())
		case err != nil:
			return c.queueAdvice(c.waited(err, "empty"))
		}
	}
	return nil
}

// lease takes the oldest message, and waits for one as long as --timeout allows.
func lease(c *call, q *queue.Queue) (*queue.Lease, error) {
	if c.atOnce() {
		return q.TryLease()
	}
	ctx, cancel := c.within()
	defer cancel()
	return q.Lease(ctx)
}

// getOne prints the oldest message and then acknowledges it.
func getOne(c *call, q *queue.Queue) error {
	lease, err := lease(c, q)
	if err != nil {
		return err
	}
	if err := c.message(lease.Bytes()); err != nil {
		return errors.Join(err, lease.Nack())
	}
	return lease.Ack()
}
