package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
)

// Round trips that a figure is the median of.
const trips = 2000

// greeting is the server's report about a connection.
type greeting struct {
	PID      int
	UID, GID uint32
}

// verdict is the server's report about a question, and its answer to it.
type verdict struct {
	Question string
	UID      uint32
	Allowed  bool
	Why      string
}

// timing is a peer's report about what it measured.
type timing struct {
	P50 time.Duration
}

// socketStep: one process listens, another dials; the kernel tells the server
// who is there, without a word from the client.
func socketStep(g *guide, r *Result) error {
	server, err := g.server()
	if err != nil {
		return err
	}
	client, err := g.start("client", g.path("tour.sock"))
	if err != nil {
		return err
	}
	var seen greeting
	if err := server.hear(g.ctx, &seen); err != nil {
		return err
	}
	if seen.PID != client.pid() || seen.UID != uint32(os.Geteuid()) || seen.GID != uint32(os.Getegid()) {
		return fmt.Errorf("the server saw pid %d uid %d gid %d, but the client is pid %d uid %d gid %d",
			seen.PID, seen.UID, seen.GID, client.pid(), os.Geteuid(), os.Getegid())
	}
	var t timing
	if err := client.hear(g.ctx, &t); err != nil {
		return err
	}
	r.What = fmt.Sprintf("%d dialled %d; the kernel named the caller: pid %d, uid %d", client.pid(), server.pid(), seen.PID, seen.UID)
	r.Figure = short(t.P50) + " a round trip"
	return nil
}

// server starts a server at tour.sock with the tour's policy.
func (g *guide) server() (*peer, error) {
	policy := g.path("tour.acl")
	if err := os.WriteFile(policy, []byte(policyText), 0o600); err != nil {
		return nil, err
	}
	server, err := g.start("server", g.path("tour.sock"), policy)
	if err != nil {
		return nil, err
	}
	return server, server.hear(g.ctx, new(struct{}))
}

// playServer serves the socket args[0]. It reports who connects, answers "may
// I …" by the policy args[1], and everything else with "ACK: ".
func playServer(s *stage) error {
	policy, err := acl.Load(s.args[1])
	if err != nil {
		return err
	}
	l, err := socket.Listen(s.args[0], &socket.ListenOptions{Mode: 0o666}) // the step for acl dials as another user
	if err != nil {
		return err
	}
	defer l.Close()
	if err := s.report(struct{}{}); err != nil {
		return err
	}
	for {
		c, err := l.Accept(s.ctx)
		if err != nil {
			return nil // the guide has ended the step
		}
		err = serve(s, c, policy)
		c.Close()
		if err != nil {
			return err
		}
	}
}

func serve(s *stage, c *socket.Conn, policy *acl.Policy) error {
	who := c.Peer()
	if err := s.report(greeting{int(who.PID), who.UID, who.GID}); err != nil {
		return err
	}
	for {
		m, err := c.Recv(s.ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer := append([]byte("ACK: "), m.Data...)
		if question, asks := cutPrefix(m.Data, "may I "); asks {
			d := policy.Check(who, "call", "rpc:"+question)
			if err := s.report(verdict{question, who.UID, d.Allowed, d.String()}); err != nil {
				return err
			}
			answer = []byte(d.Effect().String())
		}
		if err := c.Send(s.ctx, answer); err != nil {
			return err
		}
	}
}

// playClient measures round trips to the server at args[0].
func playClient(s *stage) error {
	c, err := socket.Dial(s.ctx, s.args[0], nil)
	if err != nil {
		return err
	}
	defer c.Close()
	t, err := p50(trips, func() error { return exchange(s.ctx, c, "hello", "ACK: hello") })
	if err != nil {
		return err
	}
	return s.report(timing{t})
}

// exchange sends a message and checks the answer.
func exchange(ctx context.Context, c *socket.Conn, msg, want string) error {
	if err := c.Send(ctx, []byte(msg)); err != nil {
		return err
	}
	m, err := c.Recv(ctx)
	if err != nil {
		return err
	}
	if string(m.Data) != want {
		return fmt.Errorf("answer %q, want %q", m.Data, want)
	}
	return nil
}

func cutPrefix(b []byte, prefix string) (string, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return "", false
	}
	return string(b[len(prefix):]), true
}
