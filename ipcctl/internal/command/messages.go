package command

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// messageLimit bounds one message: what a Python peer can send in one frame with
// the short header.
const messageLimit = 1<<31 - 1

// each calls send for every message of the command line: the arguments, each
// as it is; without any, stdin as one message; with --lines, every line of it.
// ctx ends the wait for stdin.
func (c *call) each(ctx context.Context, args []string, send func([]byte) error) error {
	lines := c.bool("lines")
	switch {
	case len(args) > 0:
		for _, a := range args {
			if err := send([]byte(a)); err != nil {
				return err
			}
		}
		return nil
	case !lines:
		msg, err := c.wholeStdin(ctx)
		if err != nil {
			return err
		}
		return send(msg)
	}
	return c.eachLine(ctx, send)
}

// stdin returns stdin as something that ctx ends too: a terminal, or a pipe whose
// writer lives, can keep a read waiting for ever.
func (c *call) stdin(ctx context.Context) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(fmt.Errorf("stdin: %w", context.Cause(ctx))) })
	go func() {
		_, err := io.Copy(w, c.in)
		w.CloseWithError(err) // io.EOF without one
	}()
	return r
}

// wholeStdin reads stdin as one message.
func (c *call) wholeStdin(ctx context.Context) ([]byte, error) {
	msg, err := io.ReadAll(io.LimitReader(c.stdin(ctx), messageLimit+1))
	if err == nil && len(msg) > messageLimit {
		err = errors.New("stdin: a message can't be larger than 2GiB")
	}
	return msg, err
}

// eachLine calls send for every line of stdin, without its newline.
func (c *call) eachLine(ctx context.Context, send func([]byte) error) error {
	in := bufio.NewReaderSize(c.stdin(ctx), 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if n := len(line); n > 0 {
			if line[n-1] == '\n' {
				line = line[:n-1]
			}
			if err := send(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// messageJSON is a message in --json output: text as it is, else base64.
type messageJSON struct {
	Message  string `json:"message"`
	Encoding string `json:"encoding"` // utf-8 or base64
	Size     int    `json:"size"`
}

func asJSON(msg []byte) messageJSON {
	if utf8.Valid(msg) {
		return messageJSON{string(msg), "utf-8", len(msg)}
	}
	return messageJSON{base64.StdEncoding.EncodeToString(msg), "base64", len(msg)}
}

// message writes one received message to stdout at once: with a newline, or
// the bytes alone with --raw, or as a line of JSON.
func (c *call) message(msg []byte) error {
	if c.ctx.Err() != nil { // a queue that holds many, or a file that takes all, keeps nobody waiting
		return context.Cause(c.ctx)
	}
	if c.json() {
		return c.print(asJSON(msg))
	}
	c.out.Write(msg)
	if !c.bool("raw") {
		c.out.WriteByte('\n')
	}
	return c.flush()
}

var (
	linesFlag   = &cli.BoolFlag{Name: "lines", Usage: "read stdin as one message a line"}
	rawFlag     = &cli.BoolFlag{Name: "raw", Usage: "write the bytes alone, without a newline after each message"}
	jsonFlag    = &cli.BoolFlag{Name: "json", Usage: "write JSON, one object a line (ipcctl/JSON.md)"}
	timeoutFlag = &cli.DurationFlag{Name: "timeout", Usage: "give up after `D`; 0 doesn't wait at all", DefaultText: "waits"}
)
