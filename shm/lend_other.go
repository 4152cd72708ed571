//go:build !linux || ipcportable

package shm

import (
	"errors"
	"os"
)

func linkObject(*os.File, string) error { return errors.ErrUnsupported }

func statObject(string) (os.FileInfo, error) { return nil, errors.ErrUnsupported }
