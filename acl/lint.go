package acl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Finding is something in a policy that is allowed, but hardly meant.
type Finding struct {
	Code    string `json:"code"` // one of the Lint constants
	File    string `json:"file"`
	Line    int    `json:"line"`   // 0: the file as a whole
	Column  int    `json:"column"` // 0: the file as a whole
	Text    string `json:"text"`   // the statement
	Message string `json:"message"`
}

// The codes of findings.
const (
	LintUnusedSet  = "unused-set"      // no rule names the set
	LintNeverAsked = "never-asked"     // no module asks for the action on this kind of resource
	LintRepeated   = "repeated"        // another rule of the same effect says at least as much
	LintOverruled  = "overruled"       // a deny rule covers all that the rule allows
	LintEverything = "everything"      // allows anybody anything
	LintOverflowID = "overflow-id"     // names 65534, which stands for every unknown id
	LintFailedCase = "failed-case"     // a test case that the policy doesn't meet
	LintDirectory  = "directory"       // others can replace the file
	LintUnchecked  = "not-all-checked" // too many rules to compare them all
)

// String reports the finding on one line.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.File, f.Code, f.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s: %s", f.File, f.Line, f.Column, f.Code, f.Message, f.Text)
}

// overflowID is what Linux shows for an id that has no mapping here, and often
// also the user "nobody": proc(5), /proc/sys/kernel/overflowuid.
const overflowID = 65534

// Lint looks for rules that can't mean what they say.
func (p *Policy) Lint() []Finding {
	if p == nil {
		return nil
	}
	var l linter
	for _, s := range p.sets {
		if !s.used {
			l.add(LintUnusedSet, &s.rule, "no rule and no other set uses "+s.name)
		}
	}
	for i := range p.rules {
		l.rule(&p.rules[i])
	}
	l.covered(p.rules)
	for _, r := range p.Test() {
		if !r.Passed {
			l.add(LintFailedCase, r.Case, fmt.Sprintf("%s %s is %s", r.Action, r.Resource, r.Decision))
		}
	}
	for _, file := range p.files {
		l.directory(file)
	}
	return l.findings
}

type linter struct {
	findings []Finding
}

func (l *linter) add(code string, r *Rule, message string) {
	l.findings = append(l.findings, Finding{code, r.File, r.Line, r.Column, r.Text, message})
}

// rule looks at one rule alone.
func (l *linter) rule(r *rule) {
	var kinds actionSet // the actions that some resource of the rule knows
	anything := 0
	for _, m := range r.resources {
		kinds |= kindActions[m.item.kind]
		if m.item.rest && len(m.item.segments) == 0 && !m.item.absolute {
			anything++
		}
	}
	if odd := r.actions &^ kinds; odd != 0 && r.actions != allActions {
		l.add(LintNeverAsked, &r.Rule, fmt.Sprintf("nobody asks for %s here", someOf(odd.names())))
	}
	for _, m := range r.who {
		if m.item.kind == whoAny && r.Effect == Allow && r.actions == allActions && anything == int(numKinds) {
			l.add(LintEverything, &r.Rule, "it allows anybody anything")
		}
		if m.item.kind != whoAny && m.item.id == overflowID {
			l.add(LintOverflowID, &r.Rule, m.item.text+" also stands for every user that has no id here, as those of another user namespace")
		}
	}
}

// covered compares rules with those about the same subjects.
func (l *linter) covered(rules []rule) {
	about := map[who][]*rule{}
	plain := func(w who) who { return who{kind: w.kind, id: w.id} }
	for i := range rules {
		for j, m := range rules[i].who {
			if j > 0 && m.item.kind == whoAny {
				continue
			}
			w := plain(m.item)
			about[w] = append(about[w], &rules[i])
		}
	}
	budget := 20_000_000
	for i := range rules {
		r := &rules[i]
		by, code := r.coveredBy(about[who{kind: whoAny}], &budget)
		if by == nil && r.who[0].item.kind != whoAny {
			by, code = r.coveredBy(about[plain(r.who[0].item)], &budget)
		}
		switch {
		case budget < 0:
			l.add(LintUnchecked, &r.Rule, "from here on, rules are not compared: there are too many about the same subjects")
			return
		case code == LintOverruled:
			l.add(code, &r.Rule, fmt.Sprintf("it never allows anything, because of %s: %s", by.Place(), by.Text))
		case code == LintRepeated:
			l.add(code, &r.Rule, fmt.Sprintf("it adds nothing to %s: %s", by.Place(), by.Text))
		}
	}
}

// coveredBy finds a rule that makes r useless.
func (r *rule) coveredBy(candidates []*rule, budget *int) (*rule, string) {
	for _, c := range candidates {
		if *budget--; *budget < 0 {
			return nil, ""
		}
		switch {
		case c == r || r.actions&^c.actions != 0 || r.Effect == Deny && c.Effect == Allow:
			continue
		case c.Effect == r.Effect && c.number > r.number && r.covers(c, budget):
			continue // equal: the later one is the repetition
		case !c.covers(r, budget):
			continue
		case c.Effect != r.Effect:
			return c, LintOverruled
		}
		return c, LintRepeated
	}
	return nil, ""
}

// covers reports whether c applies wherever r does. It gives up, as one that
// doesn't, when the budget is spent.
func (c *rule) covers(r *rule, budget *int) bool {
	if r.actions&^c.actions != 0 {
		return false
	}
	for _, m := range r.who {
		found := false
		if *budget < 0 {
			return false
		}
		for _, n := range c.who {
			*budget--
			if n.item.kind == whoAny || n.item.kind == m.item.kind && n.item.id == m.item.id {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	for _, m := range r.resources {
		found := false
		if *budget < 0 {
			return false
		}
		for _, n := range c.resources {
			*budget--
			if n.item.covers(&m.item) {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// covers reports whether p matches whatever q matches.
func (p *pattern) covers(q *pattern) bool {
	if p.kind != q.kind {
		return false
	}
	if p.rest && len(p.segments) == 0 && !p.absolute {
		return true
	}
	if p.absolute != q.absolute || len(p.segments) > len(q.segments) {
		return false
	}
	for i, s := range p.segments {
		prefix, wild := strings.CutSuffix(s, "*")
		if s != q.segments[i] && !(wild && strings.HasPrefix(q.segments[i], prefix)) {
			return false
		}
	}
	if len(p.segments) == len(q.segments) {
		return p.rest == q.rest
	}
	return p.rest
}

// directory warns if others can put another file in a policy file's place.
func (l *linter) directory(file string) {
	if _, err := os.Lstat(file); err != nil {
		return // Parse was given a name of another kind
	}
	dir := filepath.Dir(file)
	info, err := os.Stat(dir)
	if err != nil {
		return
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		l.findings = append(l.findings, Finding{Code: LintDirectory, File: file,
			Message: fmt.Sprintf("others may replace it: directory %s has mode %04o; chmod go-w", dir, info.Mode().Perm())})
	}
}
