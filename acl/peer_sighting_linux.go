//go:build ipcportable

package acl

// peerSighting sees the process that has the pid of fd's peer now, as macOS's
// does: by pid, and with a number that another process of that pid has not.
func peerSighting(fd int, uid uint32) (sighting, error) {
	s, err := peerIDs(fd)
	if err != nil {
		return sighting{}, err
	}
	start, _, err := processStart(s.PID)
	return sighting{s.PID, start}, err
}

// pinPID pins the process that has pid now.
func pinPID(pid int32) (*Process, error) {
	p, err := pollPID(pid)
	if err != nil {
		return nil, err
	}
	return p.process(p), nil
}
