package acl

import (
	"errors"
	"fmt"
	"strings"
)

// testCase is an "expect" line: requests whose answer the author of the policy
// knows.
type testCase struct {
	Rule
	effect    Effect
	subject   Subject
	actions   []string
	resources []string
}

// A CaseResult is one request of an "expect" line, and whether the policy
// answers it as expected.
type CaseResult struct {
	Case     *Rule    `json:"case"` // the line; its Effect is what is expected
	Action   string   `json:"action"`
	Resource string   `json:"resource"`
	Decision Decision `json:"decision"`
	Passed   bool     `json:"passed"`
}

// String reports the result on one line.
func (r CaseResult) String() string {
	verdict := "ok"
	if !r.Passed {
		verdict = "FAILED"
	}
	return fmt.Sprintf("%s: %s: %s (%s %s %s)", r.Case.Place(), verdict, r.Case.Text, r.Action, r.Resource, r.Decision)
}

// Test runs the test cases of the policy, its "expect" lines, and returns one
// result for each action and resource of each line.
func (p *Policy) Test() []CaseResult {
	if p == nil {
		return nil
	}
	var results []CaseResult
	for i := range p.cases {
		c := &p.cases[i]
		for _, action := range c.actions {
			for _, resource := range c.resources {
				d := p.Check(c.subject, action, resource)
				results = append(results, CaseResult{
					Case: &c.Rule, Action: action, Resource: resource,
					Decision: d, Passed: d.Effect() == c.effect,
				})
			}
		}
	}
	return results
}

// strangers returns a user and a group that no rule names.
func (p *Policy) strangers() (uid, gid uint32) {
	uids, gids := map[uint32]bool{}, map[uint32]bool{}
	for i := range p.rules {
		for _, m := range p.rules[i].who {
			switch m.item.kind {
			case whoUID:
				uids[m.item.id] = true
			case whoGID:
				gids[m.item.id] = true
			}
		}
	}
	for uid = NoID - 1; uids[uid]; uid-- {
	}
	for gid = NoID - 1; gids[gid]; gid-- {
	}
	return uid, gid
}

// testCase resolves one "expect" line.
func (b *builder) testCase(raw *rawRule, strangerUID, strangerGID uint32) (c testCase, ok bool) {
	c.Rule = Rule{Effect: raw.effect, File: raw.src.name, Line: raw.line, Column: raw.column}
	c.effect = raw.effect
	var err error
	at := raw.who[0].at
	if len(raw.who) > 1 {
		at = raw.who[1].at
		err = errors.New("a test case has one subject; its groups follow, as in: uid:1000 in gid:50")
	} else {
		c.subject, err = b.caseSubject(raw.who[0].text, strangerUID, strangerGID)
	}
	if err == nil && raw.in != nil {
		c.subject.GID, c.subject.Groups = strangerGID, nil
		for _, it := range raw.in {
			w, werr := b.parseWho(it.text)
			if werr == nil && w.kind != whoGID {
				werr = fmt.Errorf("%q is no group", it.text)
			}
			if werr != nil {
				at, err = it.at, werr
				break
			}
			c.subject.Groups = append(c.subject.Groups, w.id)
		}
	}
	if err != nil {
		b.problem(raw.src, at, err)
		return c, false
	}
	set, bad := parseActions(raw.actions)
	if bad != nil {
		b.problem(raw.src, bad.at, bad.err)
		return c, false
	}
	for i, name := range actionNames {
		if set&(1<<i) != 0 {
			c.actions = append(c.actions, name)
		}
	}
	for _, it := range raw.resources {
		p, err := parsePattern(it.text)
		if err == nil && strings.Contains(it.text, "*") {
			err = fmt.Errorf("resource %q: a test case asks about one resource, without wildcards", it.text)
		}
		if err != nil {
			b.problem(raw.src, it.at, err)
			return c, false
		}
		c.resources = append(c.resources, p.text)
	}
	who := joinItems(raw.who)
	if raw.in != nil {
		who += " in " + joinItems(raw.in)
	}
	c.Text = "expect " + raw.effect.String() + " " + who + " " + strings.Join(set.names(), ", ") + " " + joinItems(raw.resources)
	return c, true
}

// caseSubject returns the subject that a test case names: a user with the
// groups of a login, an id without groups, or for "any" someone whom no rule
// names.
func (b *builder) caseSubject(text string, strangerUID, strangerGID uint32) (Subject, error) {
	s := Subject{UID: strangerUID, GID: strangerGID}
	w, err := b.parseWho(text)
	if err != nil {
		return s, err
	}
	switch w.kind {
	case whoAny:
		return s, nil
	case whoGID:
		return s, fmt.Errorf("a test case is about a user: write \"any in %s\"", text)
	}
	s.UID = w.id
	if name, ok := strings.CutPrefix(text, "user:"); ok {
		if s.GID, s.Groups, err = b.members(name); err != nil {
			return s, fmt.Errorf("groups of user %q: %w", name, err)
		}
	}
	return s, nil
}
