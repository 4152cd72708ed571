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

func describe(pid int) Process { return Process{PID: pid} }

// ID needs Linux.
func ID(string) (FileID, error) { return FileID{}, errSystem }
