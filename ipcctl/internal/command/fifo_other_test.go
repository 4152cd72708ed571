//go:build !unix

package command_test

import "errors"

func mkfifo(string, uint32) error { return errors.ErrUnsupported }
