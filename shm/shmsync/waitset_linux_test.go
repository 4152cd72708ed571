//go:build linux && !ipcportable

package shmsync

import (
	"sync/atomic"
	"time"
)

// platformParkers are the ways to sleep on a word that this system has besides
// its first choice, and macOS's over this system's call and over broken ones.
func platformParkers() map[string]func() *WaitSet {
	refuses := func(*atomic.Uint32, uint32, time.Duration) waitResult { return waitFailed }
	hurries := func(*atomic.Uint32, uint32, time.Duration) waitResult { return waitEnded }
	address := func(wait wordWait) func() *WaitSet {
		return func() *WaitSet { return &WaitSet{park: &addressParker{pollParker: newPollParker(), wait: wait}} }
	}
	return map[string]func() *WaitSet{
		"sliced":          newSlicedWaitSet,
		"address":         address(futexWait),
		"address refuses": address(refuses),
		"address hurries": address(hurries),
	}
}

// newSlicedWaitSet behaves as on a kernel without FUTEX_WAITV.
func newSlicedWaitSet() *WaitSet {
	s := NewWaitSet()
	s.park.(*waitvParker).sliced = true
	return s
}

func isSliced(s *WaitSet) bool {
	switch p := s.park.(type) {
	case *waitvParker:
		return p.sliced
	case *addressParker:
		return true
	}
	return false
}
