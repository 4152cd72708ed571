//go:build !unix

package command

import (
	"errors"
	"io"
	"os"
)

func columns(*os.File) int     { return 0 }
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt} }
func dieOf(os.Signal)          {}

func catchBrokenPipe() {}

type stdout struct{ io.Writer }

func interruptSelf() error { return errors.ErrUnsupported }
