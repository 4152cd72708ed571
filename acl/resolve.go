package acl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// setState is a set on the way from its statement to its members.
type setState struct {
	set
	raw     rawSet
	started bool // spelling out: meeting it again is a cycle
	done    bool
	failed  bool
}

// resolve turns statements into rules. Sets may be used before they are
// defined.
func (b *builder) resolve(name string) *Policy {
	p := &Policy{name: name, files: b.files}
	order := b.defineSets()
	for _, s := range order {
		b.spellOut(s)
	}
	for i := range b.rules {
		if b.full() {
			break
		}
		raw := &b.rules[i]
		if raw.isCase {
			continue
		}
		if r, ok := b.rule(raw); ok {
			r.number = len(p.rules)
			p.rules = append(p.rules, r)
		}
	}
	for _, s := range order {
		p.sets = append(p.sets, &s.set)
	}
	if len(b.problems) > 0 {
		return nil
	}
	strangerUID, strangerGID := p.strangers()
	for i := range b.rules {
		if raw := &b.rules[i]; raw.isCase && !b.full() {
			if c, ok := b.testCase(raw, strangerUID, strangerGID); ok {
				p.cases = append(p.cases, c)
			}
		}
	}
	if len(b.problems) > 0 {
		return nil
	}
	p.compile()
	p.hash = hashOf(p.canonical(false))
	return p
}

// defineSets notes the names of all sets.
func (b *builder) defineSets() []*setState {
	order := make([]*setState, 0, len(b.rawSets))
	for _, raw := range b.rawSets {
		name := raw.name.text
		if !validSetName(name) {
			b.problem(raw.src, raw.name.at, fmt.Errorf("set %q: want @ and up to 64 of A-Z a-z 0-9 . _ -", name))
			continue
		}
		if first := b.sets[name]; first != nil {
			b.problem(raw.src, raw.name.at, fmt.Errorf("set %s is already defined at %s", name, first.rule.Place()))
			continue
		}
		s := &setState{raw: raw}
		s.name = name
		s.rule = Rule{File: raw.src.name, Line: raw.line, Column: raw.column}
		s.rule.Text = "set " + name + " = " + joinItems(raw.members)
		b.sets[name] = s
		order = append(order, s)
	}
	return order
}

func validSetName(name string) bool {
	if len(name) < 2 || len(name) > 65 || name[0] != '@' {
		return false
	}
	for _, c := range []byte(name[1:]) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// joinItems writes a list.
func joinItems(list []item) string {
	words := make([]string, len(list))
	for i, it := range list {
		words[i] = quote(it.text)
	}
	return strings.Join(words, ", ")
}

// spellOut finds a set's members, those of sets within it included.
func (b *builder) spellOut(s *setState) {
	if s.done || b.full() {
		return
	}
	s.started = true
	for _, it := range s.raw.members {
		if err := b.addMember(s, it.text); err != nil {
			s.failed = true
			b.problem(s.raw.src, it.at, err)
			break
		}
	}
	s.done = true
}

func (b *builder) addMember(s *setState, text string) error {
	var whos []who
	var resources []pattern
	switch {
	case strings.HasPrefix(text, "@"):
		inner, err := b.findSet(text)
		if err != nil {
			return err
		}
		if inner.started && !inner.done {
			return fmt.Errorf("set %s contains itself", text)
		}
		b.spellOut(inner)
		if inner.failed {
			return fmt.Errorf("set %s has a fault", text)
		}
		inner.used = true
		if err := b.spell(inner); err != nil {
			return err
		}
		whos, resources = inner.who, inner.resources
	case text == "any":
		return fmt.Errorf(`"any" in a set: write it in the rules instead`)
	default:
		scheme, _, found := strings.Cut(text, ":")
		isWho := text == "root" || text == "same-user"
		for _, known := range []string{"user", "uid", "group", "gid"} {
			isWho = isWho || found && scheme == known
		}
		if isWho {
			w, err := b.parseWho(text)
			if err != nil {
				return err
			}
			whos = []who{w}
			break
		}
		isKind := false
		for _, known := range kindNames {
			isKind = isKind || found && scheme == known
		}
		if !isKind {
			return unknown("member", scheme, append([]string{"user", "uid", "group", "gid", "root", "same-user"}, kindNames[:]...))
		}
		p, err := parsePattern(text)
		if err != nil {
			return err
		}
		resources = []pattern{p}
	}
	s.who = append(s.who, whos...)
	s.resources = append(s.resources, resources...)
	if len(s.who) > 0 && len(s.resources) > 0 {
		return fmt.Errorf("set %s mixes subjects and resources", s.name)
	}
	if len(s.who) > maxMembers || len(s.resources) > maxMembers {
		return fmt.Errorf("set %s has more than %d members", s.name, maxMembers)
	}
	return nil
}

func (b *builder) findSet(name string) (*setState, error) {
	if s := b.sets[name]; s != nil {
		return s, nil
	}
	if len(b.sets) == 0 {
		return nil, fmt.Errorf("unknown set %q: the policy defines none", name)
	}
	return nil, unknown("set", name, slices.Sorted(maps.Keys(b.sets)))
}

var errTooLarge = fmt.Errorf("sets and rules spell out to more than %d members, or combinations of subjects and resources: "+
	"use groups and ** instead of large sets", maxSpelled)

// spell accounts for the members of a set that is about to be spelled out where
// it is named: there it is short, and may be named any number of times.
func (b *builder) spell(s *setState) error {
	if b.spelled += len(s.who) + len(s.resources); b.spelled > maxSpelled {
		return errTooLarge
	}
	return nil
}

// rule resolves one rule, noting its problems.
func (b *builder) rule(raw *rawRule) (r rule, ok bool) {
	r.Rule = Rule{Effect: raw.effect, File: raw.src.name, Line: raw.line, Column: raw.column}
	r.who = make([]member[who], 0, len(raw.who))
	r.resources = make([]member[pattern], 0, len(raw.resources))
	for _, it := range raw.who {
		if strings.HasPrefix(it.text, "@") {
			s, err := b.findSet(it.text)
			if err == nil && len(s.resources) > 0 {
				err = fmt.Errorf("set %s holds resources, not subjects", it.text)
			}
			if err != nil {
				b.problem(raw.src, it.at, err)
				return r, false
			}
			s.used = true
			if err := b.spell(s); err != nil {
				b.problem(raw.src, it.at, err)
				return r, false
			}
			for _, w := range s.who {
				r.who = append(r.who, member[who]{w, &s.set})
			}
			continue
		}
		w, err := b.parseWho(it.text)
		if err != nil {
			b.problem(raw.src, it.at, err)
			return r, false
		}
		r.who = append(r.who, member[who]{w, nil})
	}
	var err *itemError
	if r.actions, err = parseActions(raw.actions); err != nil {
		b.problem(raw.src, err.at, err.err)
		return r, false
	}
	for _, it := range raw.resources {
		switch {
		case strings.HasPrefix(it.text, "@"):
			s, err := b.findSet(it.text)
			if err == nil && len(s.who) > 0 {
				err = fmt.Errorf("set %s holds subjects, not resources", it.text)
			}
			if err != nil {
				b.problem(raw.src, it.at, err)
				return r, false
			}
			s.used = true
			if err := b.spell(s); err != nil {
				b.problem(raw.src, it.at, err)
				return r, false
			}
			for _, p := range s.resources {
				r.resources = append(r.resources, member[pattern]{p, &s.set})
			}
		case it.text == "any":
			for k := range numKinds {
				r.resources = append(r.resources, member[pattern]{pattern{kind: k, rest: true, text: "any"}, nil})
			}
		default:
			p, err := parsePattern(it.text)
			if err != nil {
				b.problem(raw.src, it.at, err)
				return r, false
			}
			r.resources = append(r.resources, member[pattern]{p, nil})
		}
	}
	if b.combined += int64(len(r.who)) * int64(len(r.resources)); b.combined > maxSpelled {
		b.problem(raw.src, raw.at, errTooLarge)
		return r, false
	}
	r.Text = raw.effect.String() + " " + joinItems(raw.who) + " " + strings.Join(r.actions.names(), ", ") + " " + joinItems(raw.resources)
	return r, true
}

// itemError is a fault of one item.
type itemError struct {
	at  int
	err error
}

func parseActions(list []item) (actionSet, *itemError) {
	var set actionSet
	for _, it := range list {
		a := actionOf(it.text)
		if it.text == "any" {
			a = allActions
		}
		if a == 0 {
			return 0, &itemError{it.at, unknown("action", it.text, append(actionNames[:len(actionNames):len(actionNames)], "any"))}
		}
		set |= a
	}
	return set, nil
}
