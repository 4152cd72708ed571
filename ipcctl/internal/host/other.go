//go:build !linux

package host

import (
	"errors"
	"fmt"
	"runtime"
)

var errSystem = fmt.Errorf("host: no table of other processes' objects on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Processes needs Linux.
func Processes(...string) (Users, error) { return Users{}, errSystem }

// UnixSockets needs Linux.
func UnixSockets() ([]UnixSocket, error) { return nil, errSystem }

// SysVObjects needs Linux.
func SysVObjects() ([]SysV, error) { return nil, errSystem }

// Lease needs Linux.
type Lease struct{ ID FileID }

// TakeLease needs Linux.
func TakeLease(string) (*Lease, error) { return nil, errSystem }

// Held needs Linux.
func (*Lease) Held() bool { return false }

// Close needs Linux.
func (*Lease) Close() error { return errSystem }

// Sleepers needs Linux: nothing is known of any process.
func Sleepers(_ FileID, pids []int) ([]Sleeper, int) { return nil, len(pids) }

// Maps needs Linux.
func Maps(int, FileID) (bool, error) { return false, errSystem }

func describe(pid int) Process { return Process{PID: pid} }

// ID needs Linux.
func ID(string) (FileID, error) { return FileID{}, errSystem }
