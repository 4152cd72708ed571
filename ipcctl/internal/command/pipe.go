package command

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/ipcctl/ipc/pipe"
	"github.com/urfave/cli/v2"
)

func pipeGroup() *node {
	return &node{
		name:  "pipe",
		usage: "FIFOs: pipes with a path",
		about: "What goes through is messages, in the frames of Python's Connection.send_bytes. A\n" +
			"FIFO keeps nothing: sender and receiver wait for each other.",
		examples: []example{
			{"ipcctl pipe create /tmp/news.fifo", "make one"},
			{"ipcctl pipe recv /tmp/news.fifo --follow", "in one shell"},
			{"ipcctl pipe send /tmp/news.fifo hello", "in another"},
		},
		children: []*node{pipeCreateVerb(), pipeSendVerb(), pipeRecvVerb()},
	}
}

// within returns a context that ends with the command or after --timeout.
func (c *call) within() (context.Context, context.CancelFunc) {
	if !c.set("timeout") {
		return c.ctx, func() {}
	}
	return context.WithTimeout(c.ctx, c.flags.Duration("timeout"))
}

// othersFlag accepts what another user made or may write to.
var othersFlag = &cli.BoolFlag{Name: "allow-others", Usage: "use a FIFO that another user owns or may write to"}

// pipeAdvice says what to do about the common faults of FIFOs.
func pipeAdvice(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pipe.ErrUntrusted):
		return advise(&withStatus{err, statusDenied}, "--allow-others uses it all the same")
	case errors.Is(err, os.ErrNotExist):
		return advise(err, "ipcctl pipe create makes one")
	case errors.Is(err, os.ErrExist):
		return advise(err, "choose another path, or remove it with rm")
	case errors.Is(err, pipe.ErrMessageSize):
		return advise(err, "--exclusive lifts the limit where nobody else writes")
	case errors.Is(err, pipe.ErrNoReader):
		return advise(err, "start ipcctl pipe recv")
	case errors.Is(err, pipe.ErrNoWriter):
		return advise(err, "start ipcctl pipe send")
	case errors.Is(err, syscall.EPIPE):
		return advise(err, "start ipcctl pipe recv again")
	}
	return err
}
