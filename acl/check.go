package acl

import "strings"

// Check decides whether s may do action to resource, such as "connect" and
// "socket:/run/app.sock". What no rule allows is denied, and a rule that denies
// overrides every rule that allows, whatever their order.
//
// Whatever the caller passes, Check returns a decision: an unknown action or a
// malformed resource is denied. It allocates nothing, and takes no longer for
// rules that concern others. It is safe for concurrent use.
func (p *Policy) Check(s Subject, action, resource string) Decision {
	if p == nil {
		return Decision{}
	}
	if s.UID == NoID || s.Missing&FieldID != 0 {
		return Decision{Reason: ReasonBadSubject}
	}
	a := actionOf(action)
	if a == 0 {
		return Decision{Reason: ReasonBadAction}
	}
	k, path, ok := cutKind(resource)
	if !ok || checkPath(path) != nil {
		return Decision{Reason: ReasonBadResource}
	}
	w := walker{index: &p.index, subject: &s, action: a, deny: noRule, allow: noRule}
	w.walk(k, path)
	switch {
	case w.deny != noRule:
		return Decision{Reason: ReasonRule, Rule: &p.rules[w.deny].Rule}
	case w.allow != noRule:
		return Decision{Allowed: true, Reason: ReasonRule, Rule: &p.rules[w.allow].Rule}
	}
	return Decision{}
}

// noRule is behind every rule.
const noRule = 1<<31 - 1

// walker gathers the first rule of each effect that applies to a request.
type walker struct {
	index       *index
	subject     *Subject
	action      actionSet
	deny, allow int32
}

// walk visits every place of the tree that a path matches. The path has passed
// checkPath.
func (w *walker) walk(k kind, path string) {
	relative := relativeRoot(k)
	if path[0] == '/' {
		w.visit(relative, true) // "queue:**" covers absolute names too
		w.descend(absoluteRoot(k), path[1:])
		return
	}
	w.descend(relative, path)
}

// descend visits what matches the path below node n. It returns to the caller
// only where the tree branches; a branch ends with the path or with the tree.
func (w *walker) descend(n int32, path string) {
	for {
		at := &w.index.nodes[n]
		if at.rest != 0 {
			w.visit(n, true)
		}
		if !at.literals && at.star == 0 && at.prefixes == 0 {
			return
		}
		segment, rest := path, ""
		if i := strings.IndexByte(path, '/'); i >= 0 {
			segment, rest = path[:i], path[i+1:]
		}
		if at.star != 0 {
			w.enter(at.star, rest)
		}
		for _, length := range w.index.lengths[at.prefixes] {
			if length > len(segment) {
				break
			}
			if to := w.index.edge(uint32(n)*2+1, segment[:length]); to != 0 {
				w.enter(to, rest)
			}
		}
		if !at.literals {
			return
		}
		if n = w.index.edge(uint32(n)*2, segment); n == 0 {
			return
		}
		if rest == "" {
			w.visit(n, false)
			return
		}
		path = rest
	}
}

// enter goes on below a child that a wildcard led to.
func (w *walker) enter(n int32, rest string) {
	if rest == "" {
		w.visit(n, false)
		return
	}
	w.descend(n, rest)
}

// visit looks up the subject's ids at one place.
func (w *walker) visit(n int32, rest bool) {
	x := w.index
	kinds := x.nodes[n].here
	if rest {
		kinds = x.nodes[n].rest
	}
	if kinds == 0 {
		return
	}
	place, s := placeOf(n, rest), w.subject
	if kinds&idAny != 0 {
		w.note(x.find(cellKey(place, idAny, 0)))
	}
	if kinds&idUID != 0 {
		w.note(x.find(cellKey(place, idUID, s.UID)))
	}
	if kinds&idGID != 0 {
		if x.namesGroup(s.GID) {
			w.note(x.find(cellKey(place, idGID, s.GID)))
		}
		for _, g := range s.Groups {
			if x.namesGroup(g) {
				w.note(x.find(cellKey(place, idGID, g)))
			}
		}
		if s.Missing&FieldGroups != 0 && kinds&idSomeGroup != 0 {
			w.note(x.find(cellKey(place, idSomeGroup, 0)))
		}
	}
}

// note takes in what a cell says about the action.
func (w *walker) note(c *cell) {
	switch {
	case (c.deny|c.allow)&w.action == 0: // also the empty cell
	case c.first < 0:
		for i := ^c.first; i >= 0; {
			m := &w.index.marks[i]
			if m.actions&w.action != 0 {
				w.apply(m.effect, m.rule)
			}
			i = m.next
		}
	case c.deny != 0:
		w.deny = min(w.deny, c.first)
	default:
		w.allow = min(w.allow, c.first)
	}
}

func (w *walker) apply(e Effect, rule int32) {
	if e == Deny {
		w.deny = min(w.deny, rule)
	} else {
		w.allow = min(w.allow, rule)
	}
}
