//go:build !unix

package command

import (
	"errors"
	"os"
)

func columns(*os.File) int     { return 0 }
func stopSignals() []os.Signal { return []os.Signal{os.Interrupt} }
func dieOf(os.Signal)          {}

func terminalSize() (width, height int) { return 80, 24 }
func rawMode(*os.File) (func(), error)  { return nil, errors.ErrUnsupported }
