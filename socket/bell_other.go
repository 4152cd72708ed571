//go:build !linux || ipcportable

package socket

import (
	"errors"
	"os"
)

// A bell is made of Linux' epoll. Elsewhere connections stay where they are.
type bell struct{ file *os.File }

func (*bell) wait(func(uintptr) bool) error { return errors.ErrUnsupported }

func duplicate(int, string, bool) (*descriptor, error) { return nil, errors.ErrUnsupported }
