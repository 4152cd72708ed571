package command

import (
	"errors"
	"fmt"
	"os"

	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func queueDeadVerb() *node {
	return &node{
		name:  "dead",
		usage: "take messages out of a queue's dead letters and print them",
		args:  "NAME",
		about: "Dead letters are messages that --max-attempts consumers in a row died with or gave\n" +
			"back. Without --count it prints what there is and ends; none is status 0 too.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "end after `N` messages"},
			rawFlag, jsonFlag,
		},
		examples: []example{
			{"ipcctl queue dead jobs > lost+found", "save them all"},
			{"ipcctl queue stat jobs.dead", "how many are there? Their queue is one like any other"},
		},
		run: func(c *call) error { return c.deadLetters(func(msg []byte) error { return c.message(msg) }) },
	}
}

func queueRequeueVerb() *node {
	return &node{
		name:  "requeue",
		usage: "put a queue's dead letters back into it",
		args:  "NAME",
		about: "Without --count it puts back what there is, and prints how many that were.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "end after `N` messages"},
			timeoutFlag, jsonFlag,
		},
		examples: []example{
			{"ipcctl queue requeue jobs", "once the fault in the workers is mended"},
		},
		run: func(c *call) error {
			q, err := queue.Open(c.arg(0), nil)
			if err != nil {
				return c.queueAdvice(err)
			}
			defer q.Close()
			n := 0
			err = c.deadLetters(func(msg []byte) error {
				err := c.put(q, msg)
				if err == nil {
					n++
				}
				return err
			})
			if c.json() {
				return errors.Join(err, c.print(struct {
					Requeued int `json:"requeued"`
				}{n}))
			}
			fmt.Fprintln(c.out, n)
			return err
		},
	}
}

// deadLetters hands every dead letter to use; it is gone once that succeeds.
func (c *call) deadLetters(use func([]byte) error) error {
	count := c.int("count")
	if c.set("count") && count < 1 {
		return usagef("--count %d: want at least 1", count)
	}
	d, err := queue.Open(queue.DeadName(c.arg(0)), nil)
	if errors.Is(err, os.ErrNotExist) {
		return advise(err, "only a queue created with --max-attempts has dead letters")
	}
	if err != nil {
		return c.queueAdvice(err)
	}
	defer d.Close()
	if !c.set("count") { // and not what comes meanwhile, of workers that fail again
		count = d.Len()
	}
	for range count {
		lease, err := d.TryLease()
		if errors.Is(err, queue.ErrEmpty) {
			return nil
		}
		if err != nil {
			return c.queueAdvice(err)
		}
		if err := use(lease.Bytes()); err != nil {
			return errors.Join(err, lease.Nack())
		}
		if err := lease.Ack(); err != nil {
			return err
		}
	}
	return nil
}
