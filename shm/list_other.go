//go:build !unix

package shm

import "errors"

func listObjects() ([]Info, error) { return nil, errors.ErrUnsupported }
