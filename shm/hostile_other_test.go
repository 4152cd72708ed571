//go:build unix && !linux

package shm_test

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

func punch(f *os.File, off, n int64) { f.WriteAt(make([]byte, n), off) }

func isolate(*exec.Cmd) error      { return errors.ErrUnsupported }
func mountTmpfs(string, int) error { return errors.ErrUnsupported }
func noSpace(err error) bool       { return errors.Is(err, syscall.ENOSPC) }
