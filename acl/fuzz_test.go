package acl

import (
	"strings"
	"testing"
	"unicode/utf8"
)

var seeds = []string{
	"",
	"# nothing\n\n",
	"allow any connect socket:/run/app.sock",
	"deny uid:5, group:staff put,get queue:jobs-*, queue:a/**  # why\r\n",
	"set @ops = user:alice, @more\nset @more = root, same-user\nallow @ops any any",
	"set @q = queue:a, \"socket:/run/my app\", queue:**\nallow any any @q\nexpect allow uid:7 in gid:4, gid:5 put queue:a/b",
	"expect deny any call rpc:/a.B/C\nallow \"uid:1\" call \"rpc:/a,b/\\\"\\\\\"",
	`{"sets":{"@a":["uid:1","root"]},"rules":[{"effect":"allow","who":"@a","actions":["put","get"],"resources":["queue:*"]}],"expect":[{"effect":"deny","who":"any","in":"gid:3","actions":"any","resources":"queue:x"}]}`,
	"{\"rules\":[]}",
	"{\"rules\":[{\"effect\":\"deny\",\"who\":[\"any\"],\"actions\":[\"any\"],\"resources\":[\"any\"]}], \"include\": \"x\"}",
	"allow any connect socket:/a/../b",
	"allow any connect socket:/a//b",
	"include base.acl\nallow\x00any",
	"set @a = @a",
	"allow any put queue:\xff",
	"allow any put queue:ü/é*",
}

// FuzzParse feeds the parser hostile text. What it accepts must print to text
// and JSON that mean the same, and account for every line.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := testBuilder().build("fuzz", text)
		if err != nil {
			checkErrors(t, text, err)
			return
		}
		comparePrinted(t, p)
		if strings.HasPrefix(strings.TrimLeft(string(text), " \t\r\n"), "{") {
			return
		}
		statements := 0
		for line := range strings.SplitSeq(string(text), "\n") {
			line = strings.Trim(line, " \t\r")
			if line != "" && line[0] != '#' && !strings.HasPrefix(line, "include") {
				statements++
			}
		}
		if got := len(p.sets) + len(p.rules) + len(p.cases); got != statements {
			t.Fatalf("%d statements in %d lines", got, statements)
		}
		for _, r := range p.Test() {
			if e := p.Explain(Subject{UID: 1}, r.Action, r.Resource); e.Problem != "" {
				t.Fatalf("test case accepted: %s", e.Problem)
			}
		}
		p.Lint()
	})
}

// checkErrors checks that every error names a place within the text, and is
// safe to print.
func checkErrors(t *testing.T, text []byte, err error) {
	t.Helper()
	list := SyntaxErrors(err)
	if len(list) == 0 {
		t.Fatalf("no place: %v", err)
	}
	for _, e := range list {
		if e.Line < 1 || e.Line > strings.Count(string(text), "\n")+1 || e.Column < 1 {
			t.Fatalf("no such place: %d:%d: %v", e.Line, e.Column, e)
		}
		if e.Caret > utf8.RuneCountInString(e.Text) || !utf8.ValidString(e.Text) || strings.ContainsFunc(e.Text, isControl) {
			t.Fatalf("caret %d in %q", e.Caret, e.Text)
		}
	}
}

// FuzzCheck asks an odd policy about hostile requests. Check, by the index,
// must agree with Explain, which looks at each rule.
func FuzzCheck(f *testing.F) {
	p, err := testBuilder().build("fuzz", []byte(`
		allow any put queue:**
		allow uid:1 any any
		allow gid:2 call rpc:/a*/*/c, rpc:/a/**
		deny gid:3 any queue:a*, queue:/*/b, rpc:*
		deny root get queue:a/b/c
		allow any connect socket:/run/ü/*
	`))
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range []string{"queue:a", "queue:/x/b", "rpc:/a/b/c", "rpc:/abc/b/c", "socket:/run/ü/x", "queue:a//b", "queue:../x", "queue:a\x00", ":", "queue:", "rpc:/", "queue:\xff", "queue:a/b/c"} {
		f.Add(uint32(1), uint32(2), uint32(3), "put", r)
	}
	f.Fuzz(func(t *testing.T, uid, gid, group uint32, action, resource string) {
		s := Subject{UID: uid, GID: gid, Groups: []uint32{group}}
		d, e := p.Check(s, action, resource), p.Explain(s, action, resource)
		if d != e.Decision {
			t.Fatalf("Check says %v, Explain %v", d, e.Decision)
		}
		if e.Problem != "" {
			if d.Allowed || d.Reason == ReasonNoRule || d.Reason == ReasonRule {
				t.Fatalf("%s: %v", e.Problem, d)
			}
			return
		}
		denied, allowed := false, false
		for _, r := range e.Rules {
			if r.Role != RoleNone {
				denied = denied || r.Rule.Effect == Deny
				allowed = allowed || r.Rule.Effect == Allow
			}
		}
		if want := allowed && !denied; d.Allowed != want {
			t.Fatalf("got %v, rules say %v\n%v", d, want, e)
		}
		if strings.ContainsAny(resource, "\x00\n") || strings.Contains(resource, "..") && d.Allowed && strings.Contains(resource+"/", "/../") {
			t.Fatalf("accepted %q", resource)
		}
	})
}
