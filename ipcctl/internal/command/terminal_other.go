//go:build !unix

package command

import (
	"errors"
	"os"
)

func columns(*os.File) int     { return 0 }
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt} }
func dieOf(os.Signal)          {}

func catchBrokenPipe() {}

func readerGone(err error) error { return err }

func interruptSelf() error { return errors.ErrUnsupported }
