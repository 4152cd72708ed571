package command

import (
	"context"

	"github.com/ipcctl/ipc/socket"
	"github.com/urfave/cli/v2"
)

// dialFlags are those of the verbs that connect to a server.
func dialFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.BoolFlag{Name: "wait", Usage: "wait for the server to come up"},
		timeoutFlag, rawFlag, jsonFlag, maxMessageFlag(),
	}, keyFlags()...)
}

// dialer reads those flags. What it returns connects to the server at the first
// argument; where that means to wait for it, a person sees so.
func (c *call) dialer() (func(context.Context) (*socket.Conn, error), error) {
	key, err := c.authKey()
	if err != nil {
		return nil, err
	}
	most, err := c.maxMessage()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*socket.Conn, error) {
		p := c.progress("waiting for the server", 0)
		defer p.clear()
		conn, err := socket.Dial(ctx, c.arg(0), &socket.DialOptions{
			Wait: c.bool("wait"), AuthKey: key, AllowMD5: c.bool("md5"), Conn: socket.ConnOptions{MaxMessage: most.bytes, MaxFiles: -1},
		})
		return conn, socketAdvice(err)
	}, nil
}
