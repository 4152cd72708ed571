package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// messageLimit bounds one message: what a Python peer can send in one frame with
// the short header.
const messageLimit = 1<<31 - 1

// bound is how many bytes a message may have where it goes, and the error of more.
type bound struct {
	bytes int
	err   error
}

// exceeded is the error about a message on stdin that is longer. How much longer, nobody
// has read.
func (b bound) exceeded() error {
	return fmt.Errorf("stdin: more than %s in one message: %w", formatSize(int64(b.bytes)), b.err)
}

// each calls send for every message of the command line: the arguments, each
// as it is; without any, stdin as one message; with --lines, every line of it.
// most bounds what is read of stdin for one, and ctx ends the wait for it.
func (c *call) each(ctx context.Context, args []string, most bound, send func([]byte) error) error {
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
		msg, err := c.wholeStdin(ctx, most)
		if err != nil {
			return err
		}
		return send(msg)
	}
	return c.eachLine(ctx, most, send)
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
func (c *call) wholeStdin(ctx context.Context, most bound) ([]byte, error) {
	msg, err := io.ReadAll(io.LimitReader(c.stdin(ctx), int64(most.bytes)+1))
	if err == nil && len(msg) > most.bytes {
		err = most.exceeded()
	}
	return msg, err
}

// readLine returns the next line, with its newline if it has one.
func readLine(in *bufio.Reader, most bound) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if line = append(line, part...); len(bytes.TrimSuffix(line, []byte("\n"))) > most.bytes {
			return nil, most.exceeded()
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// eachLine calls send for every line of stdin, without its newline.
func (c *call) eachLine(ctx context.Context, most bound, send func([]byte) error) error {
	in := bufio.NewReaderSize(c.stdin(ctx), 64<<10)
	for {
		line, err := readLine(in, most)
		if err != nil && err != io.EOF { // what has come of a line is none
			return err
		}
		line, whole := bytes.CutSuffix(line, []byte("\n"))
		if whole || len(line) > 0 {
			if err := send(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
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
