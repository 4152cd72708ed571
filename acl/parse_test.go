package acl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestParseErrors wants each fault refused, with its place and its line.
func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown statement", "permit any put queue:a", `test.acl:1:1: unknown statement "permit"`},
		{"misspelt statement", "\n\n  alow any put queue:a", `test.acl:3:3: unknown statement "alow": did you mean "allow"?`},
		{"quoted statement", `"allow" any put queue:a`, `1:1: unknown statement`},
		{"unknown action", "allow any conect socket:/a", `1:11: unknown action "conect": did you mean "connect"?`},
		{"unknown action in a list", "allow any put,gett queue:a", `1:15: unknown action "gett"`},
		{"action in capitals", "allow any PUT queue:a", `1:11: unknown action "PUT"`},
		{"unknown who", "allow everybody put queue:a", `1:7: unknown who "everybody"`},
		{"unknown scheme of who", "allow usr:alice put queue:a", `1:7: unknown who "usr": did you mean "user"?`},
		{"unknown user", "allow user:nobody-here put queue:a", `1:7: unknown user "nobody-here"`},
		{"unknown group", "allow group:nobody-here put queue:a", `1:7: unknown group "nobody-here"`},
		{"user without a name", "allow user: put queue:a", `1:7: user: without a name`},
		{"uid that is no number", "allow uid:x put queue:a", `1:7: uid: "x" is no id`},
		{"uid with a sign", "allow uid:+1 put queue:a", `1:7: uid: "+1" is no id`},
		{"negative uid", "allow uid:-1 put queue:a", `1:7: uid: "-1" is no id`},
		{"uid with a leading zero", "allow uid:010 put queue:a", `1:7: uid: "010" is no id`},
		{"empty uid", "allow uid: put queue:a", `1:7: uid: "" is no id`},
		{"nobody's uid", "allow uid:4294967295 put queue:a", `1:7: uid: 4294967295 is the id that nobody has`},
		{"uid of 33 bits", "allow uid:4294967296 put queue:a", `1:7: uid: "4294967296" is no id`},
		{"nobody's gid", "deny gid:4294967295 put queue:a", `1:6: gid: 4294967295`},
		{"unknown kind", "allow any put topic:a", `1:15: unknown kind of resource "topic"`},
		{"misspelt kind", "allow any put queu:a", `did you mean "queue"?`},
		{"no kind", "allow any put jobs", `1:15: resource "jobs": want KIND:NAME`},
		{"no name", "allow any put queue:", `1:15: resource "queue:" has no name: queue:** means every one`},
		{"dots", "allow any connect socket:/run/../etc/x", `1:19: resource "socket:/run/../etc/x": the segments . and .. are not allowed`},
		{"dots in a name are fine, a dot alone is not", "allow any connect socket:/run/./x", `1:19: `},
		{"slashes", "allow any connect socket:/run//x", `1:19: resource "socket:/run//x": empty segment`},
		{"slash at the end", "allow any connect socket:/run/", `1:19: `},
		{"slash alone", "allow any connect socket:/", `1:19: `},
		{"** in the middle", "allow any connect socket:/**/x", `** stands for the rest`},
		{"* within a segment", "allow any connect socket:/a*b", `* is a whole segment, or ends one`},
		{"* twice", "allow any connect socket:/a**", `* is a whole segment, or ends one`},
		{"NUL", "allow any put queue:a\x00b", `1:22: control character`},
		{"NUL in a comment", "allow any put queue:a # \x00", `1:25: control character`},
		{"NUL in quotes", "allow any put \"queue:a\x00\"", `1:15: control character`},
		{"escape sequence", "allow any put queue:a\x1b[2J", `1:22: control character`},
		{"bad UTF-8", "allow any put queue:a\n# \xff\n", `2:3: not UTF-8`},
		{"column counts characters", "allow any put queue:ü, topic:x", `1:24: `},
		{"too few words", "allow any put", `1:14: the line ends early: want a resource`},
		{"no words", "deny", `1:5: the line ends early: want who`},
		{"too many words", "allow any put queue:a queue:b", `1:23: unexpected "queue:b"`},
		{"comma at the end", "allow any put queue:a,", `1:23: the line ends early`},
		{"comma at the start", "allow ,any put queue:a", `1:7: unexpected comma`},
		{"two commas", "allow any put,,get queue:a", `1:15: unexpected comma`},
		{"open quote", `allow any put "queue:a`, `1:15: the closing quote is missing`},
		{"quote within a word", `allow any put queue:"a"`, `1:21: a quote must stand at the beginning`},
		{"word behind a quote", `allow any put "queue:a"b`, `1:24: a blank or comma must follow`},
		{"odd escape", `allow any put "queue:\n"`, `1:15: only \" and \\`},
		{"duplicate set", "set @a = root\nset @a = uid:5", `test.acl:2:5: set @a is already defined at test.acl:1:1`},
		{"unknown set", "set @ops = root\nallow @op put queue:a", `2:7: unknown set "@op": did you mean "@ops"?`},
		{"set of the wrong sort", "set @q = queue:a\nallow @q put queue:a", `2:7: set @q holds resources, not subjects`},
		{"set of the other sort", "set @w = root\nallow any put @w", `2:15: set @w holds subjects, not resources`},
		{"mixed set", "set @m = root, queue:a", `1:16: set @m mixes subjects and resources`},
		{"set within itself", "set @a = root, @b\nset @b = @a", `set @a contains itself`},
		{"empty set", "set @a =", `1:9: the line ends early`},
		{"set without equals", "set @a root", `1:8: want "="`},
		{"any in a set", "set @a = any", `1:10: "any" in a set`},
		{"unknown member", "set @a = usr:x", `1:10: unknown member "usr": did you mean "user"?`},
		{"bad set name", "set ops = root", `1:5: set "ops"`},
		{"fault in an unused set", "set @a = queue:a//b", `1:10: resource "queue:a//b"`},
		{"test case with a wildcard", "expect allow root put queue:*", `1:23: resource "queue:*": a test case asks about one resource`},
		{"test case about a group", "expect allow gid:5 put queue:a", `1:14: a test case is about a user: write "any in gid:5"`},
		{"test case about two", "expect allow root, uid:5 put queue:a", `1:20: a test case has one subject`},
		{"test case in a user", "expect allow any in uid:5 put queue:a", `1:21: "uid:5" is no group`},
		{"test case without effect", "expect root put queue:a", `1:8: unknown expectation "root"`},
		{"rule with in", "allow any in gid:5 put queue:a", `1:11: "in" belongs to "expect"`},
		{"missing include", "include nowhere.acl", `1:9: include: "nowhere.acl": no such file`},
		{"include of nothing", "include", `1:8: the line ends early`},

		{"JSON: broken", `{"rules": [}`, `1:12: JSON: invalid character`},
		{"JSON: cut", `{"rules": [`, `JSON: unexpected EOF`},
		{"JSON: more", `{"rules": []} {}`, `1:15: more text`},
		{"JSON: unknown key", "{\n \"rule\": []}", `test.acl:2:2: unknown key "rule": did you mean "rules"?`},
		{"JSON: twice", `{"rules": [], "rules": []}`, `1:15: key "rules" is there twice`},
		{"JSON: no effect", `{"rules": [{"who": "any", "actions": "put", "resources": "queue:a"}]}`, `1:13: the rule has no "effect"`},
		{"JSON: odd effect", `{"rules": [{"effect": "permit", "who": "any", "actions": "put", "resources": "queue:a"}]}`, `1:23: unknown effect "permit"`},
		{"JSON: no who", `{"rules": [{"effect": "allow", "actions": "put", "resources": "queue:a"}]}`, `1:13: the rule has no "who"`},
		{"JSON: empty list", `{"rules": [{"effect": "allow", "who": []}]}`, `1:39: the list is empty`},
		{"JSON: number", `{"rules": [{"effect": "allow", "who": [5]}]}`, `1:40: want a string`},
		{"JSON: null", `{"rules": null}`, `1:11: want an array`},
		{"JSON: dots", "{\"rules\": [{\"effect\": \"allow\", \"who\": \"any\", \"actions\": \"put\",\n\"resources\": [\"queue:a\", \"queue:..\"]}]}", `test.acl:2:26: resource "queue:.."`},
		{"JSON: NUL", `{"rules": [{"effect": "allow", "who": "any", "actions": "put", "resources": "queue:a\u0000"}]}`, `control character`},
		{"JSON: rule with in", `{"rules": [{"effect": "allow", "in": "gid:5"}]}`, `1:32: "in" belongs to "expect"`},
		{"JSON: unknown user", `{"rules": [{"effect": "allow", "who": "user:nobody-here", "actions": "put", "resources": "queue:a"}]}`, `1:39: unknown user`},
		{"JSON: array", `[]`, `1:1: unknown statement`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			p, err := Parse("test.acl", []byte(tc.text))
			is.True(p == nil) // no policy beside an error
			is.True(err != nil)
			list := SyntaxErrors(err)
			is.True(len(list) > 0)
			if !strings.Contains(list[0].Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			checkErrors(t, []byte(tc.text), err)
		})
	}
}

func TestParseShowsTheLine(t *testing.T) {
	is := is.New(t)
	_, err := Parse("app.acl", []byte("allow any connect socket:/a\n\tallow any conect\tsocket:/b # oops\n"))
	is.Equal(err.Error(), "acl: app.acl:2:12: unknown action \"conect\": did you mean \"connect\"?\n"+
		"\t allow any conect socket:/b # oops\n"+
		"\t           ^")
}

func TestParseReportsAllProblems(t *testing.T) {
	is := is.New(t)
	_, err := Parse("app.acl", []byte("alow any put queue:a\nallow any put queue:a\ndenny any put queue:a\n"))
	list := SyntaxErrors(err)
	is.Equal(len(list), 2)
	is.Equal(list[0].Line, 1)
	is.Equal(list[1].Line, 3)
	_, err = Parse("app.acl", []byte(strings.Repeat("nonsense\n", 1000)))
	is.Equal(len(SyntaxErrors(err)), maxProblems)
}

func TestParseLimits(t *testing.T) {
	is := is.New(t)
	_, err := Parse("big.acl", []byte(strings.Repeat("#", MaxFile+1)))
	is.True(err != nil && strings.Contains(err.Error(), "are the most"))
	_, err = Parse("long.acl", []byte("allow any put queue:"+strings.Repeat("x", maxResource+1)))
	is.True(err != nil && strings.Contains(err.Error(), "longer than"))
	_, err = Parse("deep.acl", []byte("allow any put queue:a"+strings.Repeat("/a", maxSegments)))
	is.True(err != nil && strings.Contains(err.Error(), "segments"))

	// Sets of sets grow as a power: they stop at a bound.
	var bomb strings.Builder
	bomb.WriteString("set @s0 = uid:1, uid:2\n")
	for i := range 64 {
		fmt.Fprintf(&bomb, "set @s%d = @s%d, @s%d\n", i+1, i, i)
	}
	_, err = Parse("bomb.acl", []byte(bomb.String()))
	is.True(err != nil && strings.Contains(err.Error(), "members"))

	// So do rules with large sets on both sides.
	var wide strings.Builder
	for name, item := range map[string]string{"@w": "uid:", "@r": "queue:q"} {
		fmt.Fprintf(&wide, "set %s = %s0", name, item)
		for i := range 2000 {
			fmt.Fprintf(&wide, ",%s%d", item, i)
		}
		wide.WriteByte('\n')
	}
	_, err = Parse("wide.acl", []byte(wide.String()+"allow @w put @r"))
	is.True(errors.Is(err, errTooLarge))
}

// TestParseSpellsOutWithinBounds: a set is short where it is named and long where
// it is spelled out, so a policy of a megabyte could ask for any amount of memory.
func TestParseSpellsOutWithinBounds(t *testing.T) {
	var set strings.Builder
	set.WriteString("set @all = uid:0")
	for i := range 60_000 {
		fmt.Fprintf(&set, ",uid:%d", i+1)
	}
	set.WriteByte('\n')
	square := func(times int) string { // each line spells out to 1.4 million
		var b strings.Builder
		for name, item := range map[string]string{"@w": "uid:", "@r": "queue:q"} {
			fmt.Fprintf(&b, "set %s = %s0", name, item)
			for i := range 1200 {
				fmt.Fprintf(&b, ",%s%d", item, i+1)
			}
			b.WriteByte('\n')
		}
		return b.String() + strings.Repeat("allow @w put @r\n", times)
	}
	numbered := func(format string) string {
		var b strings.Builder
		for i := range 500 {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"rules":           set.String() + strings.Repeat("allow @all put queue:a\n", 500),
		"a rule":          set.String() + "allow @all" + strings.Repeat(",@all", 500) + " put queue:a\n",
		"sets":            set.String() + numbered("set @s%d = @all\n"),
		"both sides":      square(2),
		"both sides once": square(1),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse("large.acl", []byte(text))
			runtime.ReadMemStats(&after)
			is.Equal(errors.Is(err, errTooLarge), name != "both sides once")
			if err != nil {
				is.Equal(len(SyntaxErrors(err)), 1) // and not once for each line that follows
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 500 {
				t.Errorf("reading %d KiB took %d MiB", len(text)>>10, mib)
			}
		})
	}
}

func TestCanonicalForm(t *testing.T) {
	is := is.New(t)
	p, err := testBuilder().build("app.acl", []byte("\r\n# comment\r\n"+
		"\nset  @ops  =  user:alice ,root\n"+
		"allow\t@ops , uid:7 get,put,connect \"socket:/run/my app\",queue:a#b  # why\n"+
		"deny any call, connect, send, receive, open, create, read, write, put, get, remove, admin any\n"+
		"expect deny user:bob in group:staff , gid:7 put , get queue:x\n"))
	is.NoErr(err)
	is.Equal(p.String(), "set @ops = user:alice, root\n"+
		"allow @ops, uid:7 connect, put, get \"socket:/run/my app\", queue:a#b\n"+
		"deny any any any\n"+
		"expect deny user:bob in group:staff, gid:7 put, get queue:x\n")
	comparePrinted(t, p)
}

func TestHash(t *testing.T) {
	is := is.New(t)
	a := parse(t, "allow any put queue:a # one\n")
	is.Equal(a.Hash(), "b3267991cd919a5e3230c751511e3c2c83d11a2805820f5e8b3936584179fbdf") // stable from release to release
	same := parse(t, "\n\nallow   any  put\tqueue:a\nexpect allow root put queue:a")
	is.Equal(same.Hash(), a.Hash())
	other := parse(t, "deny any put queue:a")
	is.True(other.Hash() != a.Hash())
}

// write makes a file of a policy, and returns its path.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInclude(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	write(t, dir, "sub/people.acl", "set @staff = uid:1000\ninclude ../common.json\n")
	write(t, dir, "common.json", `{"rules": [{"effect": "deny", "who": "uid:66", "actions": "any", "resources": "any"}]}`)
	main := write(t, dir, "main.acl", "allow @staff put queue:a\ninclude sub/people.acl, common.json\n")
	p, err := Load(main)
	is.NoErr(err)
	is.Equal(p.Files(), []string{main, filepath.Join(dir, "sub/people.acl"), filepath.Join(dir, "common.json")})
	is.Equal(p.Check(Subject{UID: 1000}, "put", "queue:a").Allowed, true)
	is.Equal(p.Check(Subject{UID: 66}, "put", "queue:a").Rule.File, filepath.Join(dir, "common.json"))
	is.Equal(len(p.Rules()), 2) // common.json counts once

	write(t, dir, "sub/people.acl", "include ../main.acl\n")
	_, err = Load(main)
	is.True(strings.Contains(err.Error(), "includes itself"))

	write(t, dir, "sub/people.acl", "set @staff = uid:1000\nallow any fly queue:a\n")
	_, err = Load(main)
	is.Equal(SyntaxErrors(err)[0].File, filepath.Join(dir, "sub/people.acl"))
	is.Equal(SyntaxErrors(err)[0].Line, 2)

	is.NoErr(os.Remove(filepath.Join(dir, "common.json")))
	_, err = Load(main)
	is.True(errors.Is(err, os.ErrNotExist))
}
