package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/ipcctl/ipc/socket"
	"github.com/urfave/cli/v2"
)

func socketGroup() *node {
	return &node{
		name:  "socket",
		usage: "Unix sockets",
		about: "PATH is a file, or @name for an abstract socket on Linux. What goes through is\n" +
			"messages, in the frames of Python's multiprocessing.connection: its Client and\n" +
			"Listener talk to these verbs. With serve --method and call it is the methods of\n" +
			"package socket/rpc.",
		examples: []example{
			{"ipcctl socket serve /tmp/s.sock", "print what comes, and acknowledge it"},
			{"ipcctl socket send /tmp/s.sock hello", "prints ACK: hello"},
		},
		children: []*node{socketServeVerb(), socketSendVerb(), socketCallVerb()},
	}
}

// keyFlags are about the key that both sides of a connection may have to prove.
func keyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "authkey-file", Usage: "prove, and have proven, the key in `FILE` (a newline at its end doesn't count)"},
		&cli.BoolFlag{Name: "md5", Usage: "accept the old digest of Python up to 3.11"},
	}
}

// authKey reads the key of --authkey-file, nil without it.
func (c *call) authKey() ([]byte, error) {
	path := c.str("authkey-file")
	if path == "" {
		if c.set("authkey-file") {
			return nil, usagef("--authkey-file is empty")
		}
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		c.notef("warning: others may read %s (chmod 600 %s)", path, path)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key = bytes.TrimSuffix(key, []byte("\n"))
	if len(key) == 0 {
		return nil, usagef("--authkey-file %s: the key is empty", path)
	}
	return key, nil
}

// maxMessageFlag bounds what a peer can make us hold.
func maxMessageFlag() cli.Flag {
	return sizeFlag("max-message", "refuse messages larger than this", socket.DefaultMaxMessage)
}

// maxMessage reads that flag.
func (c *call) maxMessage() (bound, error) {
	n, err := c.size("max-message")
	if err == nil && n < 1 {
		err = usagef("--max-message 0: want at least 1 byte")
	}
	return bound{min(n, messageLimit), socket.ErrTooLarge}, err
}

// socketAdvice says what to do about the common faults of sockets.
func socketAdvice(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return advise(err, "nobody listens there; ipcctl socket serve does")
	case errors.Is(err, os.ErrNotExist):
		return advise(err, "ipcctl ls --kind socket lists what there is")
	case errors.Is(err, syscall.EADDRINUSE):
		return advise(err, "if a live server has it, ipcctl ls --kind socket says which")
	case errors.Is(err, os.ErrExist):
		return advise(err, "something else has that path; choose another")
	case errors.Is(err, socket.ErrTooLarge):
		return advise(err, "--max-message allows more")
	case errors.Is(err, socket.ErrAuth):
		return advise(&withStatus{err, statusDenied}, "both sides need the same --authkey-file; Python up to 3.11 needs --md5")
	case errors.Is(err, os.ErrPermission):
		return advise(err, "its owner, mode, policy or key doesn't admit you")
	case errors.Is(err, os.ErrInvalid):
		return usagef("%v", err)
	}
	return err
}

// errHungUp is a server that closed the connection before its first answer.
var errHungUp = fmt.Errorf("the server hung up without an answer: %w", os.ErrPermission)
