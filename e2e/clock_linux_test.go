package e2e

import "golang.org/x/sys/unix"

// monotonic reads the clock that nobody sets and all processes share.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}
