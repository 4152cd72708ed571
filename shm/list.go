package shm

import (
	"os"
	"slices"
	"strings"
	"time"
)

// Info describes one named segment.
type Info struct {
	Name    string
	Path    string      // the file, where segments are files
	Size    int64       // bytes
	Mode    os.FileMode // permission bits
	UID     uint32
	GID     uint32
	Links   uint64    // names of the object: more than 1 while it is lent
	Created time.Time // zero if the file system does not know
	Changed time.Time // last change of the contents by write, or of the size

	// Users are the processes that have the segment mapped or open, as far as
	// this process may look.
	Users []User
	// Attached says that some process holds the segment through this library:
	// the kernel shows its lock whoever the process belongs to.
	Attached bool
	// Hidden counts the processes that might use the segment and that this
	// process may not look into.
	Hidden int
	State  State

	cutShort bool // its creator died before it was complete
}

// A User is a process that uses a segment.
type User struct {
	PID    int
	UID    uint32
	Name   string // of the executable, as in /proc/PID/comm
	Mapped bool   // it has the segment in its memory
}

// State says whether anybody uses a segment.
type State int

// The states of a segment. Live and Orphan are facts, found by looking.
const (
	// Idle: no user was found, but there may be one that cannot be seen, or
	// the name was chosen by somebody who may come back to it.
	Idle State = iota
	// Live: at least one process uses it.
	Live
	// Orphan: no process on this host uses it, all were seen, and the name is
	// a generated one, which is made for the life of a process; or its creator
	// died before it was complete.
	Orphan
)

func (s State) String() string {
	switch s {
	case Live:
		return "live"
	case Orphan:
		return "orphan"
	}
	return "idle"
}

// List describes every named segment that the user may see, ordered by name:
// those of this library, of Python and of anybody else. Segments that vanish
// meanwhile are left out.
func List() ([]Info, error) {
	l, err := listObjects()
	if err != nil {
		return nil, wrap("list", "segments", err)
	}
	for i := range l {
		l[i].State = l[i].state()
	}
	slices.SortFunc(l, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return l, nil
}

func (i *Info) state() State {
	switch {
	case len(i.Users) > 0 || i.Attached:
		return Live
	case i.cutShort, i.Hidden == 0 && isGenerated(i.Name):
		return Orphan
	}
	return Idle
}
