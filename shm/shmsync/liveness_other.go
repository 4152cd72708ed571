//go:build !unix

package shmsync

import (
	"errors"
	"os"
)

type locks struct{}

func openLocks(*os.File) (locks, error) { return locks{}, errors.ErrUnsupported }
func (locks) try(int) (bool, error)     { return false, errors.ErrUnsupported }
func (locks) unlock(int) error          { return errors.ErrUnsupported }
func (locks) held(int) (bool, error)    { return false, errors.ErrUnsupported }
func (locks) close() error              { return nil }
