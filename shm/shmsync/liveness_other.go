//go:build !unix

package shmsync

import (
	"errors"
	"os"
)

func openLocks(*os.File) (locks, error) { return nil, errors.ErrUnsupported }
