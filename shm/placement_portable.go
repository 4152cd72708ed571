//go:build unix && (!linux || ipcportable)

package shm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// place does what o wishes as far as POSIX goes, and joins what was refused.
func place(b []byte, o Options) error {
	var errs []error
	if o.Populate || o.Huge {
		errs = append(errs, fmt.Errorf("populate and huge pages: %w", errors.ErrUnsupported))
	}
	if o.Lock {
		if err := unix.Mlock(b); err != nil {
			errs = append(errs, os.NewSyscallError("mlock", err))
		}
	}
	return errors.Join(errs...)
}

func placement([]byte) (Placement, error) { return Placement{}, errors.ErrUnsupported }
