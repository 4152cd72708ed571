package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/ipcctl/ipc/queue"
)

func queueGroup() *node {
	return &node{
		name:  "queue",
		usage: "crash-safe message queues in shared memory",
		about: "A queue has a name, a capacity, and any number of processes that put and get. Who\n" +
			"is killed in the middle harms nobody else. A NAME with a slash in it is a file.",
		examples: []example{
			{"ipcctl queue create jobs --capacity 100 --max-message 4KiB", "make one"},
			{"ipcctl queue put jobs 'first job' 'second job'", "in one shell"},
			{"ipcctl queue get jobs --follow", "in another"},
		},
		children: []*node{
			queueCreateVerb(), queuePutVerb(), queueGetVerb(), queueStatVerb(), queueTailVerb(), queueDeadVerb(), queueRequeueVerb(),
			queueCloseVerb(), queueRmVerb(),
		},
	}
}

// queueAdvice says what to do about the common faults of queues.
func (c *call) queueAdvice(err error) error {
	name := c.arg(0)
	switch {
	case err == nil:
		return nil
	case isAny(err, queue.ErrName):
		return usagef("%v", err)
	case errors.Is(err, os.ErrNotExist):
		return advise(err, "ipcctl queue create %s makes it; ipcctl ls --kind queue lists what there is", name)
	case errors.Is(err, os.ErrExist):
		return advise(err, "choose another name, or remove it with ipcctl queue rm %s", name)
	case errors.Is(err, syscall.ENOSPC):
		return advise(err, "ipcctl doctor shows how much room there is")
	case errors.Is(err, queue.ErrTooLarge):
		return advise(err, "ipcctl queue stat %s shows how large a message may be", name)
	case errors.Is(err, queue.ErrBusy):
		return advise(err, "create it with more --lanes")
	case errors.Is(err, queue.ErrCorrupt):
		return advise(err, "save what you need, then ipcctl queue rm %s", name)
	case errors.Is(err, os.ErrPermission):
		return advise(err, "ipcctl ls --kind queue shows its owner and mode")
	}
	return err
}

// atOnce says whether --timeout forbids to wait at all. A context that has ended
// before would not even let a call look.
func (c *call) atOnce() bool { return c.set("timeout") && c.flags.Duration("timeout") == 0 }

// waited explains the end of a wait that --timeout bounded.
func (c *call) waited(err error, state string) error {
	if !c.set("timeout") || !errors.Is(err, context.DeadlineExceeded) && !isEmptyOrFull(err) {
		return err
	}
	if d := c.flags.Duration("timeout"); d > 0 {
		return fmt.Errorf("queue %q: still %s after %v: %w", c.arg(0), state, d, context.DeadlineExceeded)
	}
	return &withStatus{fmt.Errorf("queue %q is %s", c.arg(0), state), statusTimeout}
}

func isEmptyOrFull(err error) bool { return isAny(err, queue.ErrEmpty, queue.ErrFull) }
