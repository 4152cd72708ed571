package acl

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// parse compiles a policy that a test relies on.
func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse("test.acl", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCheck(t *testing.T) {
	p := parse(t, `
		# who may reach the daemon
		set @staff = uid:1000, gid:50
		allow @staff connect socket:/run/app/*
		allow any call rpc:/app.Public/**
		allow uid:1000 any queue:**
		deny gid:66 any any
		deny uid:1000 remove queue:audit
		allow gid:50 read shm:psm_*
		allow root any any
	`)
	alice := Subject{UID: 1000, GID: 1000}
	bob := Subject{UID: 1001, GID: 1001, Groups: []uint32{7, 50}}
	for _, tc := range []struct {
		name             string
		s                Subject
		action, resource string
		line             int // of the rule, 0 for none
		allowed          bool
		reason           Reason
	}{
		{"by user", alice, "connect", "socket:/run/app/a.sock", 4, true, ReasonRule},
		{"by supplementary group", bob, "connect", "socket:/run/app/a.sock", 4, true, ReasonRule},
		{"by primary group", Subject{UID: 9, GID: 50}, "connect", "socket:/run/app/a", 4, true, ReasonRule},
		{"* is one segment", alice, "connect", "socket:/run/app/a/b", 0, false, ReasonNoRule},
		{"* is not none", alice, "connect", "socket:/run/app", 0, false, ReasonNoRule},
		{"other action", alice, "send", "socket:/run/app/a", 0, false, ReasonNoRule},
		{"anybody", Subject{UID: 77, GID: 77}, "call", "rpc:/app.Public/Get", 5, true, ReasonRule},
		{"** is deep", Subject{UID: 77, GID: 77}, "call", "rpc:/app.Public/a/b/c", 5, true, ReasonRule},
		{"** is not none", Subject{UID: 77, GID: 77}, "call", "rpc:/app.Public", 0, false, ReasonNoRule},
		{"deny overrides, before", Subject{UID: 1000, GID: 66}, "connect", "socket:/run/app/a", 7, false, ReasonRule},
		{"deny overrides, behind", alice, "remove", "queue:audit", 8, false, ReasonRule},
		{"deny overrides root's", Subject{Groups: []uint32{66}}, "get", "queue:a", 7, false, ReasonRule},
		{"root", Subject{}, "get", "queue:a", 10, true, ReasonRule},
		{"beginning", bob, "read", "shm:psm_0123", 9, true, ReasonRule},
		{"beginning, and no more", bob, "read", "shm:psm_", 9, true, ReasonRule},
		{"other beginning", bob, "read", "shm:psn_0123", 0, false, ReasonNoRule},
		{"** covers absolute names", alice, "put", "queue:/x", 6, true, ReasonRule},
		{"unknown action", alice, "fly", "queue:x", 0, false, ReasonBadAction},
		{"no action", alice, "", "queue:x", 0, false, ReasonBadAction},
		{"any is no action", alice, "any", "queue:x", 0, false, ReasonBadAction},
		{"unknown kind", alice, "put", "topic:x", 0, false, ReasonBadResource},
		{"no kind", alice, "put", "x", 0, false, ReasonBadResource},
		{"no name", alice, "put", "queue:", 0, false, ReasonBadResource},
		{"dots", alice, "put", "queue:a/../b", 0, false, ReasonBadResource},
		{"dots at the end", alice, "put", "queue:a/..", 0, false, ReasonBadResource},
		{"slashes", alice, "put", "queue:a//b", 0, false, ReasonBadResource},
		{"slash at the end", alice, "put", "queue:a/", 0, false, ReasonBadResource},
		{"NUL", alice, "put", "queue:a\x00b", 0, false, ReasonBadResource},
		{"not UTF-8", alice, "put", "queue:a\xff", 0, false, ReasonBadResource},
		{"nobody's id", Subject{UID: NoID}, "put", "queue:a", 0, false, ReasonBadSubject},
		{"unknown ids", Subject{Missing: FieldID}, "put", "queue:a", 0, false, ReasonBadSubject},
		{"unknown groups can't clear", Subject{UID: 1000, Missing: FieldGroups}, "put", "queue:a", 7, false, ReasonRule},
		{"unknown to everybody", unknownSubject(), "call", "rpc:/app.Public/Get", 0, false, ReasonBadSubject},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			d := p.Check(tc.s, tc.action, tc.resource)
			is.Equal(d.Allowed, tc.allowed)
			is.Equal(d.Reason, tc.reason)
			line := 0
			if d.Rule != nil {
				line = d.Rule.Line
			}
			is.Equal(line, tc.line)
		})
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	is := is.New(t)
	p := parse(t, "allow uid:5 put queue:jobs/**\ndeny gid:9 any queue:*/b\nallow any get queue:jo*")
	s := Subject{UID: 5, GID: 5, Groups: []uint32{1, 2, 3}}
	is.Equal(testing.AllocsPerRun(100, func() { p.Check(s, "put", "queue:jobs/a/b") }), 0.0)
	is.Equal(testing.AllocsPerRun(100, func() { p.Check(s, "fly", "queue:jobs/a//b") }), 0.0)
}

func TestNilPolicyDenies(t *testing.T) {
	is := is.New(t)
	var p *Policy
	is.Equal(p.Check(Subject{}, "get", "queue:a"), Decision{})
}

// TestIndexIgnoresRepetitions: a cell keeps what can decide, and no more.
func TestIndexIgnoresRepetitions(t *testing.T) {
	is := is.New(t)
	line := "allow uid:5, uid:5 put, get queue:a, queue:a\nallow uid:5 put queue:a\n"
	p := parse(t, strings.Repeat(line, 100)+"deny uid:5 put queue:a\nallow uid:5 send queue:a")
	is.Equal(p.index.numMarks, 3)
	is.Equal(p.Check(Subject{UID: 5}, "put", "queue:a").Rule.Line, 201)
	is.Equal(p.Check(Subject{UID: 5}, "get", "queue:a").Rule.Line, 1)
	is.Equal(p.Check(Subject{UID: 5}, "send", "queue:a").Rule.Line, 202)
}
