package command

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/ipcctl/ipc/acl"
	"github.com/urfave/cli/v2"
)

func aclGroup() *node {
	return &node{
		name:  "acl",
		usage: "access policies",
		about: "A policy says who may do what to what; what no rule allows is denied, and a rule\n" +
			"that denies wins. Its language is described in POLICIES.md of the acl module.",
		examples: []example{
			{"ipcctl acl check --policy app.acl --uid 7 --action get --resource queue:jobs", "may that user connect?"},
			{"ipcctl acl lint app.acl", "find faults and rules without effect"},
		},
		children: []*node{aclCheckVerb(), aclExplainVerb(), aclLintVerb(), aclTestVerb(), aclApplyVerb()},
	}
}

// questionFlags describe who asks for what, of which policy.
func questionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "policy", Usage: "the policy `FILE`"},
		&cli.StringFlag{Name: "uid", Usage: "the `USER` who asks, by number"},
		&cli.StringFlag{Name: "gid", Usage: "the user's `GROUP`, by number"},
		&cli.StringFlag{Name: "groups", Usage: "the user's further `GROUPS`, by number, with commas"},
		&cli.StringFlag{Name: "action", Usage: "what they ask to do, an `ACTION` such as connect or put"},
		&cli.StringFlag{Name: "resource", Usage: "with what, a `RESOURCE` such as socket:/run/app.sock"},
		jsonFlag,
	}
}

// question is a request to a policy, as the flags put it.
type question struct {
	policy           *acl.Policy
	who              acl.Subject
	action, resource string
}

func (c *call) question() (*question, error) {
	if err := c.required("policy", "uid", "action", "resource"); err != nil {
		return nil, err
	}
	q := &question{who: acl.Subject{GID: acl.NoID}, action: c.str("action"), resource: c.str("resource")}
	var err error
	if q.who.UID, err = idFlag("uid", c.str("uid")); err != nil {
		return nil, err
	}
	if c.set("gid") {
		if q.who.GID, err = idFlag("gid", c.str("gid")); err != nil {
			return nil, err
		}
	}
	for _, g := range strings.FieldsFunc(c.str("groups"), func(r rune) bool { return r == ',' || r == ' ' }) {
		id, err := idFlag("groups", g)
		if err != nil {
			return nil, err
		}
		q.who.Groups = append(q.who.Groups, id)
	}
	q.policy, err = loadPolicy(c.str("policy"))
	return q, err
}

func idFlag(flag, text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == acl.NoID {
		return 0, usagef("--%s %q: want a number", flag, text)
	}
	return uint32(n), nil
}

// loadPolicy loads a policy; of several faults it tells the first.
func loadPolicy(path string) (*acl.Policy, error) {
	p, err := acl.Load(path)
	switch faults := acl.SyntaxErrors(err); {
	case len(faults) > 0:
		f := faults[0]
		return nil, advise(fmt.Errorf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Msg), "ipcctl acl lint %s shows the line", path)
	case errors.Is(err, os.ErrPermission):
		return nil, advise(err, "a policy must belong to you or root, and nobody else may write it")
	}
	return p, err
}

// answer writes a decision and ends with the status that it means.
func (c *call) answer(d acl.Decision) error {
	if c.json() {
		if err := c.print(d); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(c.out, c.paint.decision(d))
	}
	if !d.Allowed {
		return silent(statusDenied)
	}
	return nil
}

// decision writes a decision, its verdict in colour.
func (p palette) decision(d acl.Decision) string {
	verdict, rest, _ := strings.Cut(d.String(), " ")
	if d.Allowed {
		return p.green(verdict) + " " + rest
	}
	verdict, colon := strings.CutSuffix(verdict, ":")
	tail := " " + rest
	if colon {
		tail = ":" + tail
	}
	return p.red(verdict) + tail
}
