package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/ipcctl/ipc/acl"
	"golang.org/x/sys/unix"
)

var errWrong = errors.New("the wrong decision")

// policy has a rule for each of n users.
func policy(n int) []byte {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "allow uid:%d call rpc:/svc%d/Get\n", 1000+i, i/10)
	}
	return []byte(text.String())
}

func aclParse(j *Job) (func() error, error) {
	text := policy(j.Size)
	return func() error {
		_, err := acl.Parse("bench.acl", text)
		return err
	}, nil
}

// aclDecide asks about users of a policy whose every rule is about another one,
// a different user and resource each time.
func aclDecide(j *Job) (func() error, error) {
	p, err := acl.Parse("bench.acl", policy(j.Size))
	if err != nil {
		return nil, err
	}
	type request struct {
		who      acl.Subject
		resource string
		allowed  bool
	}
	requests := make([]request, 1024)
	for i := range requests {
		k := i * 7919 % j.Size
		requests[i] = request{acl.Subject{UID: uint32(1000 + k), GID: 7, Groups: []uint32{4, 24, 501}}, fmt.Sprintf("rpc:/svc%d/Get", k/10), i%2 == 0}
		if !requests[i].allowed {
			requests[i].resource += "Not"
		}
	}
	i := 0
	return func() error {
		r := &requests[i%len(requests)]
		i++
		if p.Check(r.who, "call", r.resource).Allowed != r.allowed {
			return errWrong
		}
		return nil
	}, nil
}

const casbinPlain = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
`

const casbinRoles = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
`

type enforcer interface {
	Enforce(...any) (bool, error)
	AddPolicies([][]string) (bool, error)
	AddGroupingPolicies([][]string) (bool, error)
}

// casbinDecide asks casbin the same as aclDecide, with users in roles of ten
// if so asked, and always the same if it caches.
//
//go:noinline
func casbinDecide(roles, cached bool) func(*Job) (func() error, error) {
	return func(j *Job) (func() error, error) {
		text := casbinPlain
		if roles {
			text = casbinRoles
		}
		m, err := model.NewModelFromString(text)
		if err != nil {
			return nil, err
		}
		var e enforcer
		if cached {
			e, err = casbin.NewCachedEnforcer(m)
		} else {
			e, err = casbin.NewEnforcer(m)
		}
		if err != nil {
			return nil, err
		}
		var rules, members [][]string
		for i := range j.Size {
			user, resource := fmt.Sprintf("user%d", i), fmt.Sprintf("rpc:/svc%d/Get", i/10)
			if !roles {
				rules = append(rules, []string{user, resource, "call"})
				continue
			}
			role := fmt.Sprintf("role%d", i/10)
			if i%10 == 0 {
				rules = append(rules, []string{role, resource, "call"})
			}
			members = append(members, []string{user, role})
		}
		if _, err := e.AddPolicies(rules); err != nil {
			return nil, err
		}
		if roles {
			if _, err := e.AddGroupingPolicies(members); err != nil {
				return nil, err
			}
		}
		type request struct {
			who, resource string
			allowed       bool
		}
		requests := make([]request, 1024)
		for i := range requests {
			k := i * 7919 % j.Size
			requests[i] = request{fmt.Sprintf("user%d", k), fmt.Sprintf("rpc:/svc%d/Get", k/10), i%2 == 0}
			if !requests[i].allowed {
				requests[i].resource += "Not"
			}
		}
		i := 0
		return func() error {
			r := &requests[i%len(requests)]
			if !cached {
				i++
			}
			ok, err := e.Enforce(r.who, r.resource, "call")
			if err == nil && ok != r.allowed {
				err = errWrong
			}
			return err
		}, nil
	}
}

func mapDecide(j *Job) (func() error, error) {
	type key struct {
		uid              uint32
		action, resource string
	}
	rules := make(map[key]bool, j.Size)
	requests := make([]key, 1024)
	for i := range j.Size {
		rules[key{uint32(1000 + i), "call", fmt.Sprintf("rpc:/svc%d/Get", i/10)}] = true
	}
	for i := range requests {
		k := i * 7919 % j.Size
		requests[i] = key{uint32(1000 + k), "call", fmt.Sprintf("rpc:/svc%d/Get", k/10)}
	}
	i := 0
	return func() error {
		if !rules[requests[i%len(requests)]] {
			return errWrong
		}
		i++
		return nil
	}, nil
}

func aclPeer(*Job) (func() error, error) {
	a, b, err := netPair()
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := acl.PeerOf(a)
		runtime.KeepAlive(b)
		return err
	}, nil
}

// netPair is two ends of a connection.
func netPair() (a, b *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		if err != nil {
			return nil, nil, err
		}
		f.Close()
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1], nil
}
