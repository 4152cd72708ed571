package acl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The JSON form, key by key what the lines say:
//
//	{
//	  "include": ["common.json"],
//	  "sets":    {"@operators": ["user:alice", "group:wheel"]},
//	  "rules":   [{"effect": "allow", "who": ["@operators"],
//	               "actions": ["connect"], "resources": ["socket:/run/app.sock"]}],
//	  "expect":  [{"effect": "deny", "who": "any", "in": ["gid:50"],
//	               "actions": ["connect"], "resources": ["socket:/run/app.sock"]}]
//	}
//
// Every list may be a single string. Unknown and repeated keys are errors.

// readJSON reads the JSON form.
func (b *builder) readJSON(s *source, depth int) {
	j := &jsonReader{b: b, src: s, dec: json.NewDecoder(strings.NewReader(s.text)), line: 1, column: 1, depth: depth}
	j.dec.UseNumber()
	bad := j.document()
	if bad == nil {
		if _, err := j.token(); err != nil && errors.Is(err.err, io.ErrUnexpectedEOF) {
			return
		}
		bad = j.fault(errors.New("more text after the end of the policy"))
	}
	b.problem(s, bad.offset, bad.err)
}

// jsonReader walks the tokens of a JSON text and knows where each begins.
type jsonReader struct {
	b     *builder
	src   *source
	dec   *json.Decoder
	at    int // where the last token begins
	depth int // of includes

	counted      int // bytes that place has passed,
	line, column int // and the place behind them
}

func (j *jsonReader) fault(err error) *lexError { return &lexError{j.at, err} }

// token reads the next token.
func (j *jsonReader) token() (json.Token, *lexError) {
	j.at = int(j.dec.InputOffset())
	j.at += len(j.src.text[j.at:]) - len(strings.TrimLeft(j.src.text[j.at:], " \t\r\n,:"))
	t, err := j.dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			j.at = max(j.at, min(int(syntax.Offset)-1, len(j.src.text)))
		}
		return nil, j.fault(fmt.Errorf("JSON: %w", err))
	}
	return t, nil
}

// object reads an object, calling field for each key.
func (j *jsonReader) object(what string, field func(key item) *lexError) *lexError {
	t, err := j.token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return j.fault(fmt.Errorf("want an object: %s", what))
	}
	seen := map[string]bool{}
	for j.dec.More() {
		t, err := j.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return j.fault(errors.New("want a key in quotes"))
		}
		if seen[key] {
			return j.fault(fmt.Errorf("key %q is there twice", key))
		}
		seen[key] = true
		if err := field(item{key, j.at}); err != nil {
			return err
		}
	}
	_, err = j.token()
	return err
}

// array reads an array, calling element before each element.
func (j *jsonReader) array(what string, element func() *lexError) *lexError {
	t, err := j.token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return j.fault(fmt.Errorf("want an array: %s", what))
	}
	for j.dec.More() {
		if err := element(); err != nil {
			return err
		}
	}
	_, err = j.token()
	return err
}

// list reads a string or an array of strings.
func (j *jsonReader) list(what string) ([]item, *lexError) {
	t, err := j.token()
	if err != nil {
		return nil, err
	}
	if s, ok := t.(string); ok {
		return []item{{s, j.at}}, nil
	}
	if t != json.Delim('[') {
		return nil, j.fault(fmt.Errorf("want a string or an array of strings: %s", what))
	}
	open := j.at
	var list []item
	for {
		if t, err = j.token(); err != nil {
			return nil, err
		}
		if t == json.Delim(']') {
			break
		}
		s, ok := t.(string)
		if !ok {
			return nil, j.fault(fmt.Errorf("want a string: %s", what))
		}
		list = append(list, item{s, j.at})
	}
	if len(list) == 0 {
		return nil, &lexError{open, fmt.Errorf("the list is empty: want %s", what)}
	}
	return list, nil
}

func (j *jsonReader) document() *lexError {
	return j.object("the policy", func(key item) *lexError {
		switch key.text {
		case "include":
			files, err := j.list("files to include")
			for _, f := range files {
				j.b.include(j.src, f, j.depth)
			}
			return err
		case "sets":
			return j.object("sets by name", func(name item) *lexError {
				s := rawSet{src: j.src, name: name}
				s.line, s.column = j.place(name.at)
				var err *lexError
				s.members, err = j.list("the members of the set")
				j.b.rawSets = append(j.b.rawSets, s)
				return err
			})
		case "rules":
			return j.array("rules", func() *lexError { return j.rule(false) })
		case "expect":
			return j.array("test cases", func() *lexError { return j.rule(true) })
		}
		return &lexError{key.at, unknown("key", key.text, []string{"rules", "sets", "include", "expect"})}
	})
}

func (j *jsonReader) rule(isCase bool) *lexError {
	r := rawRule{src: j.src, isCase: isCase, at: -1}
	var effect item
	err := j.object("a rule", func(key item) (err *lexError) {
		if r.at < 0 {
			r.at = key.at
		}
		switch key.text {
		case "effect":
			var list []item
			if list, err = j.list("allow or deny"); err == nil {
				effect = list[0]
				if len(list) > 1 {
					err = &lexError{list[1].at, errors.New("a rule has one effect")}
				}
			}
		case "who":
			r.who, err = j.list("who, such as user:alice")
		case "in":
			if !isCase {
				return &lexError{key.at, errInRule}
			}
			r.in, err = j.list("groups, such as group:staff")
		case "actions":
			r.actions, err = j.list("actions, such as connect")
		case "resources":
			r.resources, err = j.list("resources, such as socket:/run/app.sock")
		default:
			known := []string{"effect", "who", "actions", "resources"}
			err = &lexError{key.at, unknown("key", key.text, known)}
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.at < 0 {
		r.at = j.at // of the closing brace
	}
	r.line, r.column = j.place(r.at)
	switch effect.text {
	case "allow":
		r.effect = Allow
	case "deny":
	case "":
		return &lexError{r.at, errors.New(`the rule has no "effect"`)}
	default:
		return &lexError{effect.at, unknown("effect", effect.text, []string{"allow", "deny"})}
	}
	for _, part := range []struct {
		name string
		list []item
	}{{"who", r.who}, {"actions", r.actions}, {"resources", r.resources}} {
		if part.list == nil {
			return &lexError{r.at, fmt.Errorf("the rule has no %q", part.name)}
		}
	}
	j.b.rules = append(j.b.rules, r)
	return nil
}

// place returns the line and column of the byte at offset at, which is not
// before that of the last call: a long text is counted once.
func (j *jsonReader) place(at int) (line, column int) {
	passed := j.src.text[j.counted:at]
	if n := strings.Count(passed, "\n"); n > 0 {
		j.line += n
		j.column = 1
		passed = passed[strings.LastIndexByte(passed, '\n')+1:]
	}
	j.column += utf8.RuneCountInString(passed)
	j.counted = at
	return j.line, j.column
}
