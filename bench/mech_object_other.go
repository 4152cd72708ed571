//go:build !linux

package main

import "errors"

func peerCred(*Job) (func() error, error) { return nil, errors.ErrUnsupported }

func residentBytes() int64 { return 0 }

func idleMap() (any, error) { return nil, errors.ErrUnsupported }
