//go:build !linux

package e2e

import "time"

// monotonic reads the wall clock, which nobody should set during the test.
func monotonic() int64 { return time.Now().UnixNano() }
