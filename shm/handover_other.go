//go:build !unix

package shm

import (
	"errors"
	"os"
)

func isSealed(*os.File) bool                    { return false }
func isStable(*os.File) bool                    { return false }
func sealWriters(*os.File) error                { return errors.ErrUnsupported }
func markUsed(*os.File)                         {}
func reopenReadOnly(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }
