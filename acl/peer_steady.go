//go:build darwin || (linux && ipcportable)

package acl

import (
	"errors"
	"os"
)

// A sighting is who had a pid at one moment. Two that are equal are of one
// process: the version tells it from all others that have had the pid, and
// on macOS from what it was before an exec, too.
type sighting struct {
	pid     int32
	version uint64
}

var errUnsteady = errors.New("its process changes all the time")

// steady runs f, which looks something up by pid, between two looks at the
// peer that see the same process, so that f has found out about that one. It
// gives up after a few changes: each is an exec, or a pid that was given away.
func steady(look func() (sighting, error), f func(pid int32) error) error {
	const tries = 4
	before, err := look()
	for range tries {
		if err != nil {
			return err
		}
		found := f(before.pid)
		after, lookErr := look()
		if lookErr == nil && after == before {
			return found
		}
		before, err = after, lookErr
	}
	return errUnsteady
}

// peerStart fills in the start time of the process that has the peer's pid
// now. The system knows the peer by its pid alone, so nothing proves that it
// was the peer's before.
func peerStart(fd int, s *Subject) {
	s.Missing |= FieldPin
	var start uint64
	err := steady(func() (sighting, error) { return peerSighting(fd, s.UID) }, func(pid int32) (err error) {
		if pid != s.PID {
			return os.ErrProcessDone
		}
		start, _, err = processStart(pid)
		return err
	})
	if err != nil {
		s.Missing |= FieldStartTime
		return
	}
	s.StartTime = start
}

// peerProcess pins the process that has the peer's pid now.
func peerProcess(fd int) (*Process, error) {
	s, err := peerIDs(fd)
	if err != nil {
		return nil, err
	}
	var p *Process
	err = steady(func() (sighting, error) { return peerSighting(fd, s.UID) }, func(pid int32) (err error) {
		if p != nil {
			p.Close() // of the try before, which pinned another one
		}
		p, err = pinPID(pid)
		return err
	})
	if err != nil && p != nil {
		p.Close()
		p = nil
	}
	return p, err
}
