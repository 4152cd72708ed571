package acl

import (
	"bytes"
	"encoding/json"
	"strings"
)

// String returns the policy in its canonical spelling: sets, rules and test
// cases, one a line, included files in place. Parsing it gives the same policy
// and the same String; comments are lost.
func (p *Policy) String() string {
	if p == nil {
		return ""
	}
	return string(p.canonical(true))
}

// canonical writes the statements in the line form.
func (p *Policy) canonical(cases bool) []byte {
	var b bytes.Buffer
	for _, s := range p.sets {
		b.WriteString(s.rule.Text)
		b.WriteByte('\n')
	}
	for i := range p.rules {
		b.WriteString(p.rules[i].Text)
		b.WriteByte('\n')
	}
	if cases {
		for i := range p.cases {
			b.WriteString(p.cases[i].Text)
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// The JSON form, in the order of printing.
type (
	jsonPolicy struct {
		Sets   jsonSets   `json:"sets,omitempty"`
		Rules  []jsonRule `json:"rules"`
		Expect []jsonRule `json:"expect,omitempty"`
	}
	jsonRule struct {
		Effect    Effect   `json:"effect"`
		Who       []string `json:"who"`
		In        []string `json:"in,omitempty"`
		Actions   []string `json:"actions"`
		Resources []string `json:"resources"`
	}
	jsonSets []jsonSet
	jsonSet  struct {
		name    string
		members []string
	}
)

// MarshalJSON writes an object that keeps its order.
func (s jsonSets) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, set := range s {
		b.WriteByte("{,"[min(i, 1)])
		if err := enc.Encode(set.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(set.members); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// MarshalJSON returns the JSON form of the policy, which Parse reads back to
// the same policy.
func (p *Policy) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("null"), nil
	}
	form := jsonPolicy{Rules: make([]jsonRule, 0, len(p.rules))}
	for _, s := range p.sets {
		words := splitList(strings.SplitN(s.rule.Text, " = ", 2)[1])
		form.Sets = append(form.Sets, jsonSet{s.name, words[0]})
	}
	for i := range p.rules {
		form.Rules = append(form.Rules, jsonRuleOf(p.rules[i].Effect, p.rules[i].Text))
	}
	for i := range p.cases {
		form.Expect = append(form.Expect, jsonRuleOf(p.cases[i].effect, strings.TrimPrefix(p.cases[i].Text, "expect ")))
	}
	return json.Marshal(form)
}

// jsonRuleOf takes a canonical line apart.
func jsonRuleOf(e Effect, text string) jsonRule {
	lists := splitList(text)[1:] // behind the effect
	r := jsonRule{Effect: e, Who: lists[0]}
	if len(lists) == 5 {
		r.In = lists[2]
		lists = lists[2:]
	}
	r.Actions, r.Resources = lists[1], lists[2]
	return r
}

// splitList splits canonical text into its comma-separated lists.
func splitList(text string) [][]string {
	tokens, _ := lex(text, nil) // it came from lex
	var lists [][]string
	comma := false
	for _, t := range tokens {
		switch {
		case t.comma:
			comma = true
			continue
		case comma:
			last := len(lists) - 1
			lists[last] = append(lists[last], t.text)
		default:
			lists = append(lists, []string{t.text})
		}
		comma = false
	}
	return lists
}
