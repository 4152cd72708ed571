package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/rpc"
)

// methods makes the rpc server of --method flags, nil without any.
func (s *server) methods(policy socket.Policy) (*rpc.Server, error) {
	flags := s.c.flags.StringSlice("method")
	if len(flags) == 0 {
		return nil, nil
	}
	srv, known := &rpc.Server{Policy: policy, Refused: s.refused}, map[string]bool{}
	for _, f := range flags {
		name, command, run := strings.Cut(f, "=")
		switch {
		case name == "" || len(name) > rpc.MaxMethodLen:
			return nil, usagef("--method %.60q: want NAME, or NAME=CMD", f)
		case known[name]:
			return nil, usagef("--method %s is there twice", name)
		case run && strings.TrimSpace(command) == "":
			return nil, usagef("--method %s: the command is empty", name)
		}
		known[name] = true
		answer := rpc.HandlerFunc(echoCall)
		if run {
			answer = func(ctx context.Context, call *rpc.Call) ([]byte, error) {
				return s.shell(ctx, command, call.Peer(), call.Data)
			}
		}
		srv.Handle(name, answer)
	}
	return srv, nil
}

// echoCall sends back each message of the caller's stream, and then the request.
func echoCall(ctx context.Context, call *rpc.Call) ([]byte, error) {
	for {
		m, err := call.Recv(ctx)
		if err == io.EOF {
			return bytes.Clone(call.Data), nil
		}
		if err != nil {
			return nil, err
		}
		if err := call.Send(ctx, m.Data); err != nil {
			return nil, err
		}
	}
}

// serveCalls answers calls until the verb is interrupted, and lets those under
// way see that.
func (s *server) serveCalls(l *socket.Listener, srv *rpc.Server) error {
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return socketAdvice(err)
	case <-s.c.ctx.Done():
	}
	err := srv.Shutdown(s.c.ctx) // which has ended: the calls' contexts end at once
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}
