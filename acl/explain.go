package acl

import (
	"fmt"
	"strings"
)

// An Explanation tells why a request is decided as it is.
type Explanation struct {
	Policy   string  `json:"policy"` // its hash
	Subject  Subject `json:"subject"`
	Action   string  `json:"action"`
	Resource string  `json:"resource"`
	Decision
	// Problem is what is wrong with the request itself, if anything is; then
	// there are no Rules.
	Problem string `json:"problem,omitempty"`
	// Rules holds every rule of the policy, in the order of reading.
	Rules []RuleReport `json:"rules"`
}

// Role is what a rule has to do with a decision.
type Role string

// The roles.
const (
	RoleDecides   Role = "decides"
	RoleAgrees    Role = "agrees"      // applies, as an earlier rule of the same effect does
	RoleOverruled Role = "overruled"   // allows, but another rule denies
	RoleNone      Role = "not applied" // Why tells
)

// A RuleReport is what one rule has to do with a request.
type RuleReport struct {
	Rule *Rule `json:"rule"`
	Role Role  `json:"role"`
	// Misses are the parts of the rule that keep it from applying: "who",
	// "action", "resource".
	Misses []string `json:"misses,omitempty"`
	// Why says it in words, for a rule that applies also by which names.
	Why string `json:"why"`
}

// Explain decides as Check does, and reports on every rule. It is meant for
// people: its cost grows with the policy.
func (p *Policy) Explain(s Subject, action, resource string) Explanation {
	e := Explanation{
		Policy: p.Hash(), Subject: s, Action: action, Resource: resource,
		Decision: p.Check(s, action, resource),
		Rules:    []RuleReport{},
	}
	if p == nil {
		e.Problem = "there is no policy"
		return e
	}
	if e.Problem = problemOf(s, action, resource); e.Problem != "" {
		return e
	}
	k, path, _ := cutKind(resource)
	e.Rules = make([]RuleReport, len(p.rules))
	for i := range p.rules {
		e.Rules[i] = p.rules[i].report(&s, action, k, path)
		if r := &e.Rules[i]; r.Role == "" {
			switch {
			case r.Rule == e.Rule:
				r.Role = RoleDecides
			case r.Rule.Effect == Allow && !e.Allowed:
				r.Role = RoleOverruled
				r.Why += "; overruled by " + e.Rule.Place()
			default:
				r.Role = RoleAgrees
			}
		}
	}
	return e
}

// problemOf tells what is wrong with a request, whatever the rules.
func problemOf(s Subject, action, resource string) string {
	if s.UID == NoID || s.Missing&FieldID != 0 {
		return "the ids of the subject are unknown"
	}
	if actionOf(action) == 0 {
		return unknown("action", action, actionNames[:]).Error()
	}
	_, path, ok := cutKind(resource)
	if !ok {
		return fmt.Sprintf("resource %q: want one of %s, a colon and a name", resource, strings.Join(kindNames[:], ", "))
	}
	if err := checkPath(path); err != nil {
		return fmt.Sprintf("resource %q: %v", resource, err)
	}
	return ""
}

// report tells whether the rule applies; Role stays empty if it does.
func (r *rule) report(s *Subject, action string, k kind, path string) RuleReport {
	out := RuleReport{Rule: &r.Rule}
	var hits, misses []string
	note := func(part string, hit bool, why string) {
		if hit {
			hits = append(hits, why)
			return
		}
		out.Misses = append(out.Misses, part)
		misses = append(misses, why)
	}
	hit, why := r.explainWho(s)
	note("who", hit, why)
	if r.actions&actionOf(action) != 0 {
		note("action", true, action+" is one of its actions")
	} else {
		note("action", false, fmt.Sprintf("%s is not %s", action, someOf(r.actions.names())))
	}
	hit, why = r.explainResource(k, path)
	note("resource", hit, why)
	if misses == nil {
		out.Why = strings.Join(hits, "; ")
		return out
	}
	out.Role, out.Why = RoleNone, strings.Join(misses, "; ")
	return out
}

func (r *rule) explainWho(s *Subject) (bool, string) {
	for _, m := range r.who {
		switch {
		case m.item.kind == whoAny:
			return true, "it is about anybody"
		case m.item.kind == whoUID && m.item.id == s.UID:
			return true, fmt.Sprintf("uid %d is %s", s.UID, describe(m))
		case m.item.kind == whoGID && s.InGroup(m.item.id):
			return true, fmt.Sprintf("gid %d is %s", m.item.id, describe(m))
		}
	}
	groups := false
	for _, m := range r.who {
		if m.item.kind == whoGID {
			if groups = true; r.Effect == Deny && !s.Knows(FieldGroups) {
				return true, "not all groups are known, so it may be in " + describe(m)
			}
		}
	}
	names := make([]string, len(r.who))
	for i, m := range r.who {
		names[i] = describe(m)
	}
	if groups {
		return false, fmt.Sprintf("uid %d and its %d groups are not %s", s.UID, 1+len(s.Groups), someOf(names))
	}
	return false, fmt.Sprintf("uid %d is not %s", s.UID, someOf(names))
}

// describe names a member with its id and its set: "user:alice (uid 1000, in
// @staff)".
func describe(m member[who]) string {
	var notes []string
	id := fmt.Sprintf("uid %d", m.item.id)
	if m.item.kind == whoGID {
		id = fmt.Sprintf("gid %d", m.item.id)
	}
	if strings.ReplaceAll(id, " ", ":") != m.item.text {
		notes = append(notes, id)
	}
	if m.set != nil {
		notes = append(notes, "in "+m.set.name)
	}
	if notes == nil {
		return m.item.text
	}
	return m.item.text + " (" + strings.Join(notes, ", ") + ")"
}

func (r *rule) explainResource(k kind, path string) (bool, string) {
	var names []string
	for _, m := range r.resources {
		name := m.item.text
		if m.set != nil {
			name += " (in " + m.set.name + ")"
		}
		if m.item.kind == k && m.item.match(path) {
			return true, "the resource is " + name
		}
		if len(names) == 0 || names[len(names)-1] != name { // "any" is one pattern for each kind
			names = append(names, name)
		}
	}
	return false, "the resource is not " + someOf(names)
}

// someOf joins names with "or", and counts the rest if there are many.
func someOf(names []string) string {
	const most = 6
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n > most:
		return fmt.Sprintf("%s or one of %d more", strings.Join(names[:most], ", "), n-most)
	default:
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
}

// String tells the decision, and below it every rule with its reason.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s: %s\n", e.Subject, e.Action, e.Resource, e.Decision)
	if e.Problem != "" {
		fmt.Fprintf(&b, "  %s\n", e.Problem)
	}
	for _, r := range e.Rules {
		fmt.Fprintf(&b, "  %s: %s: %s\n      %s\n", r.Rule.Place(), r.Role, r.Rule.Text, r.Why)
	}
	return b.String()
}
