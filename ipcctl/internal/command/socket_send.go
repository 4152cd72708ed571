package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipcctl/ipc/socket"
	"github.com/urfave/cli/v2"
)

func socketSendVerb() *node {
	return &node{
		name:  "send",
		usage: "send messages to a server and print its answers",
		args:  "PATH [MESSAGE...]",
		about: "Each argument is a message; without any, stdin is one. The answer to each is\n" +
			"awaited and printed before the next is sent. A server that hangs up before its\n" +
			"first answer has turned you away: status 4.",
		flags: append([]cli.Flag{
			linesFlag,
			&cli.BoolFlag{Name: "no-reply", Usage: "don't wait for answers"},
		}, dialFlags()...),
		examples: []example{
			{"ipcctl socket send /tmp/s.sock hello", "one message, one answer"},
			{"echo -n hello | ipcctl socket send /tmp/s.sock --timeout 1s", "from stdin, not for ever"},
		},
		run: socketSend,
	}
}

func socketSend(c *call) error {
	dial, err := c.dialer()
	if err != nil {
		return err
	}
	ctx, cancel := c.within()
	defer cancel()
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	answered := false
	most, err := c.maxMessage()
	if err != nil {
		return err
	}
	return socketAdvice(c.each(ctx, c.args()[1:], most, func(msg []byte) error {
		answer, err := exchange(ctx, conn, msg, !c.bool("no-reply"))
		if !answered && (errors.Is(err, io.EOF) || errors.Is(err, socket.ErrPeerClosed)) {
			err = fmt.Errorf("%s: %w", c.arg(0), errHungUp)
		}
		if err != nil || c.bool("no-reply") {
			return err
		}
		answered = true
		return c.message(answer)
	}))
}

// exchange sends a message and, if asked to, waits for the answer.
func exchange(ctx context.Context, conn *socket.Conn, msg []byte, wait bool) ([]byte, error) {
	if err := conn.Send(ctx, msg); err != nil {
		return nil, err
	}
	if !wait {
		return nil, nil
	}
	m, err := conn.Recv(ctx)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server hung up: %w", err)
	}
	return m.Data, err
}
