package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
	"github.com/urfave/cli/v2"
)

func socketServeVerb() *node {
	return &node{
		name:  "serve",
		usage: "listen, print what comes, and answer",
		args:  "PATH",
		about: "Each message is printed and answered with \"ACK: \" and the message. With --echo the\n" +
			"answer is the message, with --exec the output of a command that finds the message\n" +
			"on its stdin and its peer in IPC_PEER_UID, IPC_PEER_GID and IPC_PEER_PID; neither\n" +
			"prints. It serves until it is interrupted, which is its proper end: status 0.\n\n" +
			"With --method it answers calls of package socket/rpc instead: NAME=CMD with the\n" +
			"output of the command, NAME alone with the request, and streams with themselves.\n\n" +
			"A policy decides who may \"connect\" to socket:PATH, and \"call\" rpc:NAME. Who was\n" +
			"turned away, and why, goes to stderr.",
		flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "echo", Usage: "answer with the message itself"},
			&cli.StringFlag{Name: "exec", Usage: "answer with the output of the shell command `CMD`"},
			&cli.StringSliceFlag{Name: "method", Usage: "answer calls of a method, `NAME[=CMD]`; may be given again"},
			&cli.StringFlag{Name: "policy", Usage: "the policy `FILE` that decides who may connect"},
			&cli.StringFlag{Name: "mode", Usage: "the permissions of PATH, in `OCTAL`", Value: "0600"},
			maxMessageFlag(), jsonFlag,
		}, keyFlags()...),
		examples: []example{
			{"ipcctl socket serve /tmp/s.sock", "in one shell; ipcctl socket send in another"},
			{"ipcctl socket serve /tmp/up.sock --exec 'tr a-z A-Z'", "a service in one line of shell"},
			{"ipcctl socket serve /tmp/r.sock --method /echo --method '/up=tr a-z A-Z'", "two methods for ipcctl socket call"},
			{"ipcctl socket serve @app --echo --policy app.acl", "an abstract socket with a policy"},
		},
		run: socketServe,
	}
}

// server is one run of socket serve.
type server struct {
	c      *call
	answer func(ctx context.Context, who acl.Subject, msg []byte) ([]byte, error)
	mu     sync.Mutex // one connection prints at a time
}

func socketServe(c *call) error {
	s := &server{c: c}
	o, err := s.options()
	if err != nil {
		return err
	}
	calls, err := s.methods(o.Policy)
	if err != nil {
		return err
	}
	l, err := socket.Listen(c.arg(0), o)
	if err != nil {
		return socketAdvice(err)
	}
	defer l.Close()
	c.notef("listening on %s", l.Addr())
	if calls != nil {
		return s.serveCalls(l, calls)
	}
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer func() {
		if c.ctx.Err() != nil { // its proper end, also if nobody took what it printed last
			c.out.Reset(io.Discard)
		}
	}()
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel(nil)
	for {
		conn, err := l.Accept(ctx)
		if c.ctx.Err() != nil {
			return nil
		}
		if cause := context.Cause(ctx); cause != nil { // nobody reads what it prints
			return cause
		}
		if err != nil {
			return socketAdvice(err)
		}
		conns.Go(func() {
			defer conn.Close()
			err := s.serve(ctx, conn)
			if errors.As(err, new(signalled)) {
				cancel(err)
			} else if err != nil && c.ctx.Err() == nil {
				s.note("%s: %v", conn.Peer(), err)
			}
		})
	}
}

// options reads the flags.
func (s *server) options() (*socket.ListenOptions, error) {
	c := s.c
	o := &socket.ListenOptions{Refused: s.refused}
	switch {
	case c.bool("echo") && c.set("exec"):
		return nil, usagef("--echo and --exec exclude each other")
	case c.set("method") && (c.bool("echo") || c.set("exec") || c.json()):
		return nil, usagef("--method answers calls, so it takes no --echo, --exec or --json")
	case c.bool("echo"):
		s.answer = func(_ context.Context, _ acl.Subject, msg []byte) ([]byte, error) { return msg, nil }
	case c.set("exec"):
		if strings.TrimSpace(c.str("exec")) == "" {
			return nil, usagef("--exec is empty")
		}
		s.answer = func(ctx context.Context, who acl.Subject, msg []byte) ([]byte, error) {
			return s.shell(ctx, c.str("exec"), who, msg)
		}
	default:
		s.answer = s.acknowledge
	}
	var err error
	if c.set("policy") {
		if o.Policy, err = loadPolicy(c.str("policy")); err != nil {
			return nil, err
		}
	}
	if o.Mode, err = c.mode(); err != nil {
		return nil, err
	}
	most, err := c.maxMessage()
	if err != nil {
		return nil, err
	}
	o.Conn.MaxMessage, o.Conn.MaxFiles = most.bytes, -1
	o.Conn.SharedBuffer = 1 << 20 // for who offers it: clients of any Go program may
	o.AuthKey, err = c.authKey()
	o.AllowMD5 = c.bool("md5")
	return o, err
}

// refused tells who was turned away.
func (s *server) refused(who acl.Subject, err error) { s.note("turned away %s: %v", who, err) }

func (s *server) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.notef("ipcctl socket serve: "+format, args...)
}

// serve answers one connection's messages until its end.
func (s *server) serve(ctx context.Context, conn *socket.Conn) error {
	var buf []byte
	for {
		m, err := conn.RecvInto(ctx, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		buf = m.Data[:0]
		answer, err := s.answer(ctx, conn.Peer(), m.Data)
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, answer); err != nil {
			return err
		}
	}
}

// acknowledge prints the message, as the command's own data.
func (s *server) acknowledge(_ context.Context, who acl.Subject, msg []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.c.json() {
		err = s.c.print(struct {
			messageJSON
			Peer peerJSON `json:"peer"`
		}{asJSON(msg), peerJSON{who.UID, who.GID, who.PID}})
	} else {
		err = s.c.message(msg)
	}
	return append([]byte("ACK: "), msg...), err
}

// peerJSON is who sent a message, in --json output.
type peerJSON struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
	PID int32  `json:"pid"`
}

// shell answers with the output of a shell command.
func (s *server) shell(ctx context.Context, command string, who acl.Subject, msg []byte) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	endAsGroup(cmd)
	cmd.Stdin = bytes.NewReader(msg)
	cmd.Env = append(os.Environ(),
		fmt.Sprintf("IPC_PEER_UID=%d", who.UID), fmt.Sprintf("IPC_PEER_GID=%d", who.GID), fmt.Sprintf("IPC_PEER_PID=%d", who.PID))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil && ctx.Err() != nil { // the end of the call, which may reach us first, and not the command's
		return nil, fmt.Errorf("%s: %w", command, ctx.Err())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %v %s", command, err, strings.TrimSpace(errs.String()))
	}
	return out, nil
}
