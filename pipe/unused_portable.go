//go:build unix && (!linux || ipcportable)

package pipe

import (
	"errors"
	"fmt"
)

// proveUnused can prove nothing: that there is no writer shows only in a read,
// which would take a byte if there is one.
func proveUnused(string, fileID) error {
	return fmt.Errorf("that no process uses it can't be proven here: %w", errors.ErrUnsupported)
}
