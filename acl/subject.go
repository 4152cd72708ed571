package acl

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// NoID is the id that no user and no group has: (uid_t)-1, which the kernel
// uses for "unknown". A Subject with this UID is denied everything.
const NoID = 1<<32 - 1

// Fields is a set of the fields of a [Subject].
type Fields uint8

// The fields of a Subject that a system may be unable to tell.
const (
	FieldID        Fields = 1 << iota // UID and GID
	FieldGroups                       // Groups: unknown, or cut off after the ones listed
	FieldPID                          // PID: the peer lives in another pid namespace
	FieldStartTime                    // StartTime: the process is gone, or hidden from us
	FieldPin                          // the proof that PID and StartTime belong to the peer
)

// fieldNames are the names of the bits, lowest first.
var fieldNames = [...]string{"id", "groups", "pid", "start_time", "pin"}

// String lists the fields with commas: "groups,pin".
func (f Fields) String() string {
	var names []string
	for i, name := range fieldNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// MarshalText makes Fields their names in JSON.
func (f Fields) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// A Subject is who asks: the identity of a process, as the kernel tells it.
//
// A Subject is a plain value and holds no resources; [ProcessOf] pins the
// process itself. It is safe for concurrent use as long as nobody writes to it.
type Subject struct {
	// UID and GID are the effective ids, in our user namespace. Linux gives
	// an id that has no name here as the overflow id, 65534.
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
	// Groups are the supplementary groups, in any order. Whether GID is
	// repeated here makes no difference.
	Groups []uint32 `json:"groups,omitempty"`
	// PID is the process id in our pid namespace.
	PID int32 `json:"pid,omitempty"`
	// StartTime tells PID's owner from an earlier one: clock ticks since boot
	// on Linux (proc(5), stat field 22), microseconds since 1970 on macOS.
	StartTime uint64 `json:"start_time,omitempty"`
	// Missing names the fields that could not be learned, and that are zero
	// (or [NoID]) for that reason. A Subject written by hand misses nothing.
	//
	// Decisions lean to refusal: a missing id is denied everything, and when
	// FieldGroups is missing only the listed groups can allow, while every
	// rule that denies a group applies.
	Missing Fields `json:"missing,omitempty"`
}

// unknownSubject is what goes with an error: it matches no rule.
func unknownSubject() Subject {
	return Subject{
		UID: NoID, GID: NoID,
		Missing: FieldID | FieldGroups | FieldPID | FieldStartTime | FieldPin,
	}
}

// Self returns the Subject of the calling process, by its effective ids: what
// a peer sees of us.
func Self() (Subject, error) {
	s := Subject{
		UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
		PID: int32(os.Getpid()),
	}
	groups, err := os.Getgroups()
	if err != nil {
		return unknownSubject(), fmt.Errorf("acl: self: groups: %w", err)
	}
	for _, g := range groups {
		s.Groups = append(s.Groups, uint32(g))
	}
	if start, _, err := processStart(s.PID); err == nil {
		s.StartTime = start
	} else {
		s.Missing |= FieldStartTime
	}
	return s, nil
}

// Knows reports whether all of the fields f are known.
func (s Subject) Knows(f Fields) bool { return s.Missing&f == 0 }

// InGroup reports whether gid is the Subject's group or one of its
// supplementary groups, as far as they are known.
func (s *Subject) InGroup(gid uint32) bool {
	if gid == NoID {
		return false
	}
	if s.GID == gid && s.Missing&FieldID == 0 {
		return true
	}
	for _, g := range s.Groups {
		if g == gid {
			return true
		}
	}
	return false
}

// String describes the Subject on one line, for people:
// "uid=1000 gid=1000 groups=4,27 pid=812". Missing fields read "?".
func (s Subject) String() string {
	var b strings.Builder
	id := func(label string, v uint64, f Fields) {
		b.WriteString(label)
		if !s.Knows(f) || v == NoID {
			b.WriteByte('?')
			return
		}
		b.WriteString(strconv.FormatUint(v, 10))
	}
	id("uid=", uint64(s.UID), FieldID)
	id(" gid=", uint64(s.GID), FieldID)
	const shown = 16
	for i, g := range s.Groups {
		switch {
		case i == 0:
			b.WriteString(" groups=")
		case i == shown:
			b.WriteString(",…")
		default:
			b.WriteByte(',')
		}
		if i == shown {
			break
		}
		b.WriteString(strconv.FormatUint(uint64(g), 10))
	}
	if !s.Knows(FieldGroups) {
		if len(s.Groups) == 0 {
			b.WriteString(" groups=?")
		} else {
			b.WriteString(",?")
		}
	}
	if s.PID != 0 || !s.Knows(FieldPID) {
		id(" pid=", uint64(uint32(s.PID)), FieldPID)
	}
	return b.String()
}
