//go:build unix && (!linux || ipcportable)

package shmsync

import (
	"sync/atomic"
	"testing"
)

// untilAsleep returns when n threads sleep on w. Here they look at it now and then.
func untilAsleep(*testing.T, int, *atomic.Uint32) {}
