package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/rpc"
	"github.com/urfave/cli/v2"
)

func socketCallVerb() *node {
	return &node{
		name:  "call",
		usage: "call a method of an rpc server and print its reply",
		args:  "PATH METHOD [REQUEST]",
		about: "The server speaks the protocol of package socket/rpc. The request is the argument,\n" +
			"or stdin. With --body json it must be JSON, and so must the reply.\n\n" +
			"With --stream what the method sends is printed as it comes, and last its reply\n" +
			"unless that is empty; --lines sends it each line of stdin meanwhile.\n\n" +
			"Status 3 is also a method that the server doesn't have, 4 one that its policy\n" +
			"denies, 5 also a deadline that the server saw pass.",
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "body", Usage: "what requests and replies are`raw|json`", Value: "raw"},
			&cli.BoolFlag{Name: "stream", Usage: "take, and with --lines send, a stream of messages"},
			&cli.BoolFlag{Name: "lines", Usage: "with --stream: send each line of stdin as a message"},
			&cli.BoolFlag{Name: "no-reply", Usage: "don't wait for a reply"},
		}, dialFlags()...),
		examples: []example{
			{"ipcctl socket call /tmp/r.sock /echo hello", "one call, one reply"},
			{`ipcctl socket call /tmp/r.sock /app.Orders/Get '{"id":7}' --body json`, "a method that takes and gives JSON"},
			{"seq 3 | ipcctl socket call /tmp/r.sock /echo --stream --lines", "a stream both ways"},
		},
		run: socketCall,
	}
}

func socketCall(c *call) error {
	if err := c.checkCall(); err != nil {
		return err
	}
	dial, err := c.dialer()
	if err != nil {
		return err
	}
	ctx, cancel := c.within()
	defer cancel()
	request, err := c.request(ctx)
	if err != nil {
		return c.callAdvice(err)
	}
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	client := rpc.NewClient(conn)
	defer client.Close()
	switch method := c.arg(1); {
	case c.bool("no-reply"):
		err = client.Notify(ctx, method, request)
	case c.bool("stream"):
		err = c.stream(ctx, client, method, request)
	default:
		var reply []byte
		if reply, err = client.Call(ctx, method, request); err == nil {
			return c.reply(reply)
		}
	}
	return c.callAdvice(err)
}

// checkCall refuses flags that contradict each other.
func (c *call) checkCall() error {
	switch body := c.str("body"); {
	case body != "raw" && body != "json":
		return usagef("--body %s: raw or json%s", body, didYouMean(body, []string{"raw", "json"}, "%q"))
	case len(c.arg(1)) > rpc.MaxMethodLen:
		return usagef("METHOD is longer than %d bytes", rpc.MaxMethodLen)
	case c.bool("lines") && !c.bool("stream"):
		return usagef("--lines sends a stream, so it needs --stream")
	case c.bool("no-reply") && c.bool("stream"):
		return usagef("--no-reply and --stream exclude each other")
	}
	return nil
}

// request reads the request. A stream's is empty where stdin holds messages.
func (c *call) request(ctx context.Context) (request []byte, err error) {
	args := c.args()[2:]
	if len(args) == 0 && c.bool("lines") {
		return nil, nil
	}
	most, err := c.maxMessage()
	if len(args) > 0 {
		request = []byte(args[0])
	} else if err == nil {
		request, err = c.wholeStdin(ctx, most)
	}
	if err != nil {
		return nil, err
	}
	if c.str("body") == "json" && len(request) > 0 && !json.Valid(request) {
		return nil, usagef("--body json: the request is no JSON: %.60q", request)
	}
	return request, nil
}

// stream prints what the method sends, and sends it the lines of stdin at the
// same time.
func (c *call) stream(ctx context.Context, client *rpc.Client, method string, request []byte) error {
	most, err := c.maxMessage()
	if err != nil {
		return err
	}
	s, err := client.Stream(ctx, method, request)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		var err error
		if c.bool("lines") {
			err = c.eachLine(ctx, most, func(line []byte) error { return s.Send(ctx, line) })
		}
		if err == nil {
			err = s.CloseSend(ctx)
		}
		if err != nil && !errors.Is(err, io.EOF) { // io.EOF: the call has ended, and Recv says how
			cancel(err)
		}
	}()
	for {
		m, err := s.Recv(ctx)
		if err == io.EOF {
			break
		}
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		if err := c.reply(m.Data); err != nil {
			return err
		}
	}
	if last := s.Reply().Data; len(last) > 0 {
		return c.reply(last)
	}
	return nil
}

// reply writes what came back: JSON in one line, or indented on a terminal.
func (c *call) reply(data []byte) error {
	if c.str("body") == "json" && !c.json() {
		var text bytes.Buffer
		var err error
		if c.width > 0 {
			err = json.Indent(&text, data, "", "  ")
		} else {
			err = json.Compact(&text, data)
		}
		if err != nil {
			return advise(fmt.Errorf("%s: the reply is no JSON: %.60q", c.arg(1), data), "--body raw shows it")
		}
		data = text.Bytes()
	}
	return c.message(data)
}

// callAdvice says what to do about a failed call.
func (c *call) callAdvice(err error) error {
	var remote *rpc.Error
	switch {
	case errors.As(err, &remote) && remote.Code == rpc.CodeNotFound:
		return advise(err, "the server has no such method")
	case errors.As(err, &remote) && remote.Code == rpc.CodeDenied:
		return advise(err, "the server's policy decides who may call it; ipcctl acl explain says why")
	case errors.As(err, &remote) && remote.Code == rpc.CodeBusy, errors.As(err, &remote) && remote.Code == rpc.CodeShutdown:
		return advise(err, "nothing was done; try again later")
	case errors.Is(err, socket.ErrTooLarge):
		return advise(err, "--max-message allows more")
	case errors.Is(err, rpc.ErrConnection):
		return advise(err, "whether the method ran is not known; is it a server of socket/rpc?")
	}
	return err
}
