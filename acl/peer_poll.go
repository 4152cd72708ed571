//go:build darwin || (linux && ipcportable)

package acl

// peerStart fills in the start time of the process that has the peer's pid
// now. Nothing proves that it is still the peer's.
func peerStart(_ int, s *Subject) {
	s.Missing |= FieldPin
	start, _, err := processStart(s.PID)
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
	return pinPID(s.PID)
}
