package command_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// JSON.md is the schema: for each heading a table of fields with their types.
// The tests read it, so that it can't drift from what the command prints.

// schema maps a heading to its fields.
type schema map[string]map[string]field

type field struct {
	kind     string // string, int, number, bool, time, object (a heading), or one of them in [ ]
	optional bool
}

var fieldRow = regexp.MustCompile("^\\| `([a-z_0-9]+)(\\?)?` \\| ([^|]+) \\|")

func readSchema(t testing.TB) schema {
	t.Helper()
	text, err := os.ReadFile("../../JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	s, heading := schema{}, ""
	for _, line := range strings.Split(string(text), "\n") {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = strings.Trim(h, "`")
			s[heading] = map[string]field{}
		}
		if m := fieldRow.FindStringSubmatch(line); m != nil {
			s[heading][m[1]] = field{strings.TrimSpace(m[3]), m[2] == "?"}
		}
	}
	return s
}

// conforms checks every line of out against the heading's table, in both
// directions, and returns the objects.
func conforms(t testing.TB, heading, out string) []map[string]any {
	t.Helper()
	s := readSchema(t)
	if s[heading] == nil {
		t.Fatalf("JSON.md has no heading %q", heading)
	}
	sawJSON(heading)
	var objects []map[string]any
	for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%s: not a line of JSON: %q: %v", heading, line, err)
		}
		if faults := s.check(heading, o); faults != nil {
			t.Errorf("%s: %s\n%s", heading, strings.Join(faults, "; "), line)
		}
		objects = append(objects, o)
	}
	return objects
}

func (s schema) check(heading string, o map[string]any) (faults []string) {
	for name, f := range s[heading] {
		v, ok := o[name]
		switch {
		case !ok && !f.optional:
			faults = append(faults, name+" is missing")
		case ok:
			faults = append(faults, s.checkKind(heading+"."+name, f.kind, v)...)
		}
	}
	for name := range o {
		if _, ok := s[heading][name]; !ok {
			faults = append(faults, name+" is not documented")
		}
	}
	sort.Strings(faults)
	return faults
}

func (s schema) checkKind(where, kind string, v any) []string {
	wrong := []string{fmt.Sprintf("%s: want %s, got %v", where, kind, v)}
	if inner, ok := strings.CutPrefix(kind, "["); ok {
		list, ok := v.([]any)
		if !ok {
			return wrong
		}
		for _, e := range list {
			if faults := s.checkKind(where, strings.TrimSuffix(inner, "]"), e); faults != nil {
				return faults
			}
		}
		return nil
	}
	ok := false
	switch kind {
	case "string", "time":
		_, ok = v.(string)
	case "bool":
		_, ok = v.(bool)
	case "number":
		_, ok = v.(float64)
	case "int":
		n, is := v.(float64)
		ok = is && n == float64(int64(n))
	default:
		if s[kind] == nil {
			return []string{where + ": no such type in JSON.md: " + kind}
		}
		o, is := v.(map[string]any)
		if is {
			return s.check(kind, o)
		}
	}
	if !ok {
		return wrong
	}
	return nil
}
