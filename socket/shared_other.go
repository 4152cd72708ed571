//go:build !linux || ipcportable

package socket

import (
	"errors"
	"fmt"
	"os"
)

// Without memfd there is no memory that its maker cannot take away again.

func sysMakeShared(int, string) (*shared, []*os.File, error) {
	return nil, nil, fmt.Errorf("memory with seals: %w", errors.ErrUnsupported)
}

func sysMapShared(*os.File, *os.File, int, string) (*shared, error) {
	return nil, fmt.Errorf("memory with seals: %w", errors.ErrUnsupported)
}

func sysUnmap([]byte)       {}
func sysHungUp(fd int) bool { return false }
