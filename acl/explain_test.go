package acl

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func explained(t *testing.T) *Policy {
	p, err := testBuilder().build("app.acl", []byte(`set @staff = user:alice, group:staff
allow @staff connect socket:/run/app.sock
allow user:bob, uid:7 connect, send socket:/run/**
deny group:interns any any
allow any call rpc:/a/B
`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExplain(t *testing.T) {
	is := is.New(t)
	p := explained(t)
	e := p.Explain(Subject{UID: 1000, GID: 1000, Groups: []uint32{601}, PID: 12}, "connect", "socket:/run/app.sock")
	is.Equal(e.String(), `uid=1000 gid=1000 groups=601 pid=12 connect socket:/run/app.sock: denied by app.acl:4:1: deny group:interns any any
  app.acl:2:1: overruled: allow @staff connect socket:/run/app.sock
      uid 1000 is user:alice (uid 1000, in @staff); connect is one of its actions; the resource is socket:/run/app.sock; overruled by app.acl:4:1
  app.acl:3:1: not applied: allow user:bob, uid:7 connect, send socket:/run/**
      uid 1000 is not user:bob (uid 1001) or uid:7
  app.acl:4:1: decides: deny group:interns any any
      gid 601 is group:interns (gid 601); connect is one of its actions; the resource is any
  app.acl:5:1: not applied: allow any call rpc:/a/B
      connect is not call; the resource is not rpc:/a/B
`)
	is.Equal(e.Rules[3].Misses, []string{"action", "resource"})
	is.Equal(e.Policy, p.Hash())
}

func TestExplainNothingApplies(t *testing.T) {
	is := is.New(t)
	e := explained(t).Explain(Subject{UID: 5, GID: 5, Groups: []uint32{6}}, "connect", "socket:/run/app.sock")
	is.Equal(e.Allowed, false)
	is.Equal(e.Reason, ReasonNoRule)
	is.Equal(e.Rules[0].Why, "uid 5 and its 2 groups are not user:alice (uid 1000, in @staff) or group:staff (gid 50, in @staff)")
	is.Equal(e.Rules[2].Why, "uid 5 and its 2 groups are not group:interns (gid 601)")
}

func TestExplainUnknownGroups(t *testing.T) {
	is := is.New(t)
	e := explained(t).Explain(Subject{UID: 1000, Missing: FieldGroups}, "connect", "socket:/run/app.sock")
	is.Equal(e.Allowed, false)
	is.True(strings.HasPrefix(e.Rules[2].Why, "not all groups are known, so it may be in group:interns (gid 601)"))
}

func TestExplainBadRequest(t *testing.T) {
	p := explained(t)
	for _, tc := range []struct {
		s                      Subject
		action, resource, want string
	}{
		{Subject{}, "conect", "socket:/a", `unknown action "conect": did you mean "connect"?`},
		{Subject{}, "connect", "socket:/a/../b", `resource "socket:/a/../b": the segments . and .. are not allowed`},
		{Subject{}, "connect", "topic:a", `resource "topic:a": want one of socket, rpc, shm, queue, pipe, a colon and a name`},
		{Subject{UID: NoID}, "connect", "socket:/a", "the ids of the subject are unknown"},
	} {
		is := is.New(t)
		e := p.Explain(tc.s, tc.action, tc.resource)
		is.Equal(e.Problem, tc.want)
		is.Equal(e.Allowed, false)
		is.Equal(len(e.Rules), 0)
	}
	is := is.New(t)
	var none *Policy
	is.Equal(none.Explain(Subject{}, "connect", "socket:/a").Problem, "there is no policy")
}

// TestExplainJSON pins the names that programs read.
func TestExplainJSON(t *testing.T) {
	is := is.New(t)
	text, err := json.Marshal(parse(t, "allow uid:7 put queue:a").Explain(Subject{UID: 7, GID: 8, Missing: FieldPin}, "put", "queue:a"))
	is.NoErr(err)
	is.Equal(string(text), `{"policy":"6a60cfa796b91a9e79f504dd854b699172e63e807638d36fb564ed0c7b21e024","subject":{"uid":7,"gid":8,"missing":"pin"},"action":"put","resource":"queue:a",`+
		`"allowed":true,"reason":"a rule decides","rule":{"effect":"allow","text":"allow uid:7 put queue:a","file":"test.acl","line":1,"column":1},`+
		`"rules":[{"rule":{"effect":"allow","text":"allow uid:7 put queue:a","file":"test.acl","line":1,"column":1},"role":"decides",`+
		`"why":"uid 7 is uid:7; put is one of its actions; the resource is queue:a"}]}`)
}
