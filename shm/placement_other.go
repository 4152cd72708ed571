//go:build !linux || ipcportable

package shm

import (
	"errors"
	"fmt"
)

// place: these systems are asked for nothing.
func place(_ []byte, o Options) error {
	if o.Populate || o.Lock || o.Huge {
		return fmt.Errorf("populate, lock and huge pages: %w", errors.ErrUnsupported)
	}
	return nil
}

func placement([]byte) (Placement, error) { return Placement{}, errors.ErrUnsupported }
