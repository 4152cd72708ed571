package command

import (
	"fmt"

	"github.com/ipcctl/ipc/acl"
)

func aclExplainVerb() *node {
	return &node{
		name:  "explain",
		usage: "say why a policy decides as it does, rule by rule",
		about: "It reports on every rule of the policy: which one decides, which ones agree or are\n" +
			"overruled, and what keeps the others from applying. The exit status is the answer:\n" +
			"0 allowed, 4 denied.",
		flags: questionFlags(),
		examples: []example{
			{"ipcctl acl explain --policy app.acl --uid 7 --action put --resource queue:jobs", "why is user 7 turned away?"},
		},
		run: func(c *call) error {
			q, err := c.question()
			if err != nil {
				return err
			}
			e := q.policy.Explain(q.who, q.action, q.resource)
			if !c.json() {
				c.explain(e)
			} else if err := c.print(e); err != nil {
				return err
			}
			if !e.Allowed {
				return silent(statusDenied)
			}
			return nil
		},
	}
}

func (c *call) explain(e acl.Explanation) {
	fmt.Fprintf(c.out, "%s: %s %s: %s\n", e.Subject, e.Action, e.Resource, c.paint.decision(e.Decision))
	if e.Problem != "" {
		fmt.Fprintf(c.out, "  %s\n", e.Problem)
	}
	for _, r := range e.Rules {
		paint := c.paint.dim
		switch r.Role {
		case acl.RoleDecides, acl.RoleAgrees:
			if paint = c.paint.green; r.Rule.Effect == acl.Deny {
				paint = c.paint.red
			}
		case acl.RoleOverruled:
			paint = c.paint.yellow
		}
		fmt.Fprintf(c.out, "\n%s  %s\n", r.Rule.Place(), paint(r.Rule.Text))
		head, indent := paint(string(r.Role))+": ", "      "
		for _, line := range wrap(r.Why, helpWidth-len(indent)-len(r.Role)-2) {
			fmt.Fprintf(c.out, "    %s%s\n", head, line)
			head = "  "
		}
	}
}
