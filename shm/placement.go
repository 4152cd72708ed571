package shm

import "os"

// A Placement says where the memory of a segment really is, in bytes of this
// process's mapping.
type Placement struct {
	Resident int64 // in memory and mapped
	Locked   int64 // locked in memory
	Huge     int64 // mapped by huge pages

	// Refused joins the reasons for which Options.Populate, Lock or Huge could
	// not be fulfilled; nil if nothing was refused at once. Huge pages may be
	// granted and still not come: look at Huge.
	Refused error
}

// Placement asks the system where the memory is. It takes longer the more
// mappings the process has. Beyond Linux it wraps errors.ErrUnsupported.
func (s *segment) Placement() (Placement, error) {
	if !s.mem.Enter() {
		return Placement{}, wrap("placement", s.name, os.ErrClosed)
	}
	defer s.mem.Leave()
	p, err := placement(s.mem.Bytes())
	p.Refused = s.refused
	return p, wrap("placement", s.name, err)
}
