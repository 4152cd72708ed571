package tour

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
)

// policyText is the policy of the tour's server.
const policyText = `allow same-user call rpc:status
deny any call rpc:stop
`

// nobody is the user as whom a third process asks, if the tour may change to
// another user at all.
const nobody = 65534

// aclStep: separate processes ask the same server; its policy allows the one
// and denies the others, by who the kernel says they are and what they want.
func aclStep(g *guide, r *Result) error {
	// A user other than ours must reach the socket.
	if err := os.Chmod(g.dir, 0o711); err != nil {
		return err
	}
	server, err := g.server()
	if err != nil {
		return err
	}
	me := uint32(os.Geteuid())
	ask := func(question string, uid uint32, want bool) error {
		asker, err := g.start("asker", g.path("tour.sock"), question, fmt.Sprint(uid))
		if err != nil {
			return err
		}
		var (
			seen greeting
			v    verdict
			got  string
		)
		if err := server.hear(g.ctx, &seen); err != nil {
			return err
		}
		if err := server.hear(g.ctx, &v); err != nil {
			return err
		}
		if err := asker.hear(g.ctx, &got); err != nil {
			return err
		}
		if seen.PID != asker.pid() || v.UID != uid || v.Allowed != want || v.Allowed != (got == "allow") {
			return fmt.Errorf("uid %d asked for %s: want allowed=%t, the server says %+v, the client heard %q", uid, question, want, v, got)
		}
		return nil
	}
	if err := ask("status", me, true); err != nil {
		return err
	}
	if err := ask("stop", me, false); err != nil {
		return err
	}
	r.What = fmt.Sprintf("uid %d may ask for status but, by rule 2, not to stop", me)
	if me == 0 {
		if err := ask("status", nobody, false); err != nil {
			return err
		}
		r.What = fmt.Sprintf("uid 0 may ask for status but not to stop; uid %d not even that", nobody)
	}
	took, err := decisionCost()
	if err != nil {
		return err
	}
	r.Figure = short(took) + " a decision"
	return nil
}

// decisionCost measures one decision of the tour's policy.
func decisionCost() (time.Duration, error) {
	policy, err := acl.Parse("tour.acl", []byte(policyText))
	if err != nil {
		return 0, err
	}
	self, err := acl.Self()
	if err != nil {
		return 0, err
	}
	const batch = 1000
	took, err := p50(100, func() error {
		for range batch {
			if !policy.Check(self, "call", "rpc:status").Allowed {
				return errors.New("the policy denies what it allowed before")
			}
		}
		return nil
	})
	return took / batch, err
}

// playAsker asks the server at args[0] for args[1], as the user args[2].
func playAsker(s *stage) error {
	// From inside its folder the socket is in reach of a user who may not
	// search the folders above.
	if err := os.Chdir(filepath.Dir(s.args[0])); err != nil {
		return err
	}
	if uid := s.args[2]; uid != fmt.Sprint(os.Geteuid()) {
		if err := become(nobody); err != nil {
			return err
		}
	}
	c, err := socket.Dial(s.ctx, filepath.Base(s.args[0]), nil)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Send(s.ctx, []byte("may I "+s.args[1])); err != nil {
		return err
	}
	m, err := c.Recv(s.ctx)
	if err != nil {
		return err
	}
	return s.report(strings.TrimSpace(string(m.Data)))
}
