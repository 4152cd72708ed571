package acl

import (
	"math/rand/v2"
	"testing"

	"github.com/matryer/is"
)

func newRand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(*seed, stream)) }

// TestEdgeIDs asks about the ids at the ends of the range.
func TestEdgeIDs(t *testing.T) {
	p := parse(t, `
		allow root put queue:root
		allow uid:65534 put queue:overflow
		allow gid:65534 get queue:overflow
		allow uid:4294967294 put queue:last
		allow gid:4294967294 get queue:last
		allow uid:0, gid:0 read queue:zero
		allow any put queue:any
	`)
	many := make([]uint32, 65536)
	for i := range many {
		many[i] = uint32(100000 + i)
	}
	withLast := append(append([]uint32{}, many[1:]...), 1<<32-2)
	for _, tc := range []struct {
		name             string
		s                Subject
		action, resource string
		want             bool
	}{
		{"root", Subject{UID: 0, GID: 5}, "put", "queue:root", true},
		{"group 0 is not root", Subject{UID: 5, GID: 0}, "put", "queue:root", false},
		{"supplementary group 0 is not root", Subject{UID: 5, GID: 5, Groups: []uint32{0}}, "put", "queue:root", false},
		{"group 0 is group 0", Subject{UID: 5, GID: 5, Groups: []uint32{0}}, "read", "queue:zero", true},
		{"root gets nothing else", Subject{}, "put", "queue:overflow", false},
		{"overflow uid", Subject{UID: 65534, GID: 5}, "put", "queue:overflow", true},
		{"overflow gid", Subject{UID: 5, GID: 65534}, "get", "queue:overflow", true},
		{"overflow gid is not the uid", Subject{UID: 5, GID: 65534}, "put", "queue:overflow", false},
		{"last uid", Subject{UID: 1<<32 - 2, GID: 5}, "put", "queue:last", true},
		{"last gid", Subject{UID: 5, GID: 1<<32 - 2}, "get", "queue:last", true},
		{"last uid is not the gid", Subject{UID: 1<<32 - 2, GID: 5}, "get", "queue:last", false},
		{"nobody's uid", Subject{UID: NoID, GID: 5}, "put", "queue:any", false},
		{"nobody's gid", Subject{UID: 5, GID: NoID}, "put", "queue:any", true},
		{"no groups", Subject{UID: 5, GID: 5, Groups: []uint32{}}, "get", "queue:last", false},
		{"65536 groups without it", Subject{UID: 5, GID: 5, Groups: many}, "get", "queue:last", false},
		{"65536 groups, the last one", Subject{UID: 5, GID: 5, Groups: withLast}, "get", "queue:last", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(p.Check(tc.s, tc.action, tc.resource).Allowed, tc.want)
			is.Equal(p.Explain(tc.s, tc.action, tc.resource).Allowed, tc.want)
		})
	}
}

// TestManyGroups compares a subject of many groups with the plain meaning.
func TestManyGroups(t *testing.T) {
	is := is.New(t)
	p := parse(t, "allow gid:70000 put queue:a\ndeny gid:70001 put queue:a")
	groups := make([]uint32, 65536)
	for i := range groups {
		groups[i] = uint32(i)
	}
	s := Subject{UID: 5, GID: 70000, Groups: groups}
	is.True(p.Check(s, "put", "queue:a").Allowed)
	groups[40000] = 70001
	is.True(!p.Check(s, "put", "queue:a").Allowed)
}

func TestSubjectString(t *testing.T) {
	is := is.New(t)
	is.Equal(Subject{UID: 7, GID: 8, Groups: []uint32{1, 2}, PID: 9}.String(), "uid=7 gid=8 groups=1,2 pid=9")
	is.Equal(Subject{UID: 1<<32 - 2}.String(), "uid=4294967294 gid=0")
	is.Equal(unknownSubject().String(), "uid=? gid=? groups=? pid=?")
	is.Equal(Subject{Groups: make([]uint32, 20), Missing: FieldGroups}.String(), "uid=0 gid=0 groups=0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,…,?")
}
