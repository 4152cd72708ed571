//go:build linux && !ipcportable

package shmsync

// newSlicedWaitSet behaves as on a kernel without FUTEX_WAITV.
func newSlicedWaitSet() *WaitSet {
	s := NewWaitSet()
	s.park.(*waitvParker).sliced = true
	return s
}

func isSliced(s *WaitSet) bool {
	p, ok := s.park.(*waitvParker)
	return ok && p.sliced
}
