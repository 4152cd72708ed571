//go:build !ipcportable

package shmsync

func platformParkers() map[string]func() *WaitSet { return nil }

func isSliced(s *WaitSet) bool {
	_, yes := s.park.(*addressParker)
	return yes
}
