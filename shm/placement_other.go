//go:build !unix

package shm

import "errors"

func place([]byte, Options) error { return nil }

func placement([]byte) (Placement, error) { return Placement{}, errors.ErrUnsupported }
