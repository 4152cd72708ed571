package host

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// ErrInUse says that somebody has the file open or mapped.
var ErrInUse = errors.New("it is in use")

// FileID names a file on this host whatever path leads to it.
type FileID struct{ Dev, Ino uint64 }

// Process is one process of the host.
type Process struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
	UID     uint32 `json:"uid"`
}

// String returns the process as people write it, such as "worker(4711)".
func (p Process) String() string { return fmt.Sprintf("%s(%d)", Printable(p.Command), p.PID) }

// Printable returns a name for a person's eyes. Whoever makes a file, or names a
// process, could put into it what a terminal obeys.
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, name)
}

// Users says who holds what at one moment.
type Users struct {
	// Files maps a file to the processes that have it open or mapped, each
	// once, by rising pid. Only files below the folders that were asked for,
	// and POSIX message queues, which their users have open without a folder.
	Files map[FileID][]Process
	// Unlinked lists such files that have no name in their folder any more.
	Unlinked map[FileID]Unlinked
	// Sockets maps a socket's inode to the processes that have it open.
	Sockets map[uint64][]Process
	// SysV maps the ID of a System V segment to the processes attached to it.
	SysV map[int][]Process
	// Hidden counts processes that the caller may not look into.
	Hidden int
}

// Unlinked is a file without a name.
type Unlinked struct {
	Path string // that the kernel remembers
	Size int64  // bytes; of a file that nobody has open, as many as are mapped

	exact bool // somebody has it open: Size is that of the file
}

// Name returns the process of that pid as people write it, or the pid alone if
// there is none or it may not be looked at.
func Name(pid int) string {
	if p := describe(pid); p.Command != "" {
		return p.String()
	}
	return fmt.Sprint(pid)
}

// PathFor returns a path by which this process finds what the process of that pid has at
// that absolute path: proc_pid_root(5).
func PathFor(pid int, path string) string { return fmt.Sprintf("/proc/%d/root%s", pid, path) }

// Running says whether a process of that pid is there.
func Running(pid int) bool { return describe(pid).Command != "" }
