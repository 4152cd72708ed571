package command

import (
	"context"
	"errors"
	"io"

	"github.com/ipcctl/ipc/pipe"
	"github.com/ipcctl/ipc/socket/frame"
	"github.com/urfave/cli/v2"
)

func pipeRecvVerb() *node {
	return &node{
		name:  "recv",
		usage: "receive messages from a FIFO",
		args:  "PATH",
		about: "It waits for a sender. With --follow it goes on with the next sender when the one\n" +
			"before has gone, until it is interrupted. Senders that go before --count messages\n" +
			"have come end it with status 1.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "end after `N` messages", Value: 1},
			&cli.BoolFlag{Name: "follow", Usage: "go on for ever"},
			timeoutFlag, othersFlag, rawFlag, jsonFlag,
		},
		examples: []example{
			{"ipcctl pipe recv /tmp/news.fifo", "one message"},
			{"ipcctl pipe recv /tmp/news.fifo --follow --json", "all, with their sizes"},
		},
		run: pipeRecv,
	}
}

func pipeRecv(c *call) error {
	follow := c.bool("follow")
	if follow && c.set("count") {
		return usagef("--count and --follow exclude each other")
	}
	n := c.int("count")
	if n < 1 {
		return usagef("--count %d: want at least 1", n)
	}
	ctx, cancel := c.within()
	defer cancel()
	r, err := pipe.OpenReader(ctx, c.arg(0), &pipe.ReaderOptions{Persistent: follow, AllowOthers: c.bool("allow-others")})
	if err != nil {
		return pipeAdvice(err)
	}
	defer r.Close()
	recv := exactly(r)
	if follow { // nobody else is to get what we read ahead
		r.SetLimit(messageLimit)
		recv = r.Recv
	}
	for i := 0; follow || i < n; i++ {
		msg, err := recv(ctx)
		if errors.Is(err, io.EOF) {
			return advise(errors.New("the senders have gone"), "--follow waits for the next")
		}
		if follow && errors.Is(err, io.ErrUnexpectedEOF) { // costs that message alone
			c.notef("ipcctl pipe recv: %v", err)
			continue
		}
		if err != nil {
			return pipeAdvice(err)
		}
		if err := c.message(msg); err != nil {
			return err
		}
	}
	return nil
}

// exactly returns a Recv that reads not a byte beyond its message: what
// follows in the FIFO is for whoever receives next.
func exactly(r *pipe.Reader) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		one := io.Reader(&miser{ctx: ctx, r: r})
		return frame.NewReader(one, messageLimit).ReadMessage(nil)
	}
}

// miser hands out the header of a frame, then its body, and no more.
type miser struct {
	ctx    context.Context
	r      *pipe.Reader
	header []byte
	left   int // of what may be read now
	body   bool
}

// Read implements io.Reader.
func (m *miser) Read(p []byte) (int, error) {
	if m.left == 0 && !m.body {
		need, body := frameNeeds(m.header)
		m.left, m.body = need, body
	}
	n, err := m.r.ReadContext(m.ctx, p[:min(len(p), m.left)])
	m.left -= n
	if !m.body {
		m.header = append(m.header, p[:n]...)
	}
	return n, err
}

// frameNeeds returns how many bytes may be read after that much of a frame's
// header, and whether they are its body. A header is four bytes of length, or
// four of ff and eight of length.
func frameNeeds(header []byte) (n int, body bool) {
	switch len(header) {
	case 0:
		return 4, false
	case 4:
		size := int(int32(uint32(header[0])<<24 | uint32(header[1])<<16 | uint32(header[2])<<8 | uint32(header[3])))
		if size == -1 {
			return 8, false
		}
		return max(size, 1), true // a size below -1 is the frame reader's to refuse
	}
	size := uint64(0)
	for _, b := range header[4:] {
		size = size<<8 | uint64(b)
	}
	return int(min(size, messageLimit)), true
}
