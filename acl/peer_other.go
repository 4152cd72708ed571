//go:build !linux && !darwin

package acl

import (
	"errors"
	"fmt"
	"runtime"
)

func errPlatform() error { return fmt.Errorf("%s: %w", runtime.GOOS, errors.ErrUnsupported) }

func peerSubject(int) (Subject, error) { return Subject{}, errPlatform() }

func peerProcess(int) (*Process, error) { return nil, errPlatform() }

func processStart(int32) (uint64, bool, error) { return 0, false, errPlatform() }
