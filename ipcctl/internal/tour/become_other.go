//go:build !unix

package tour

import (
	"errors"
	"fmt"
)

// become changes the whole process to another user for good.
func become(uid int) error {
	return fmt.Errorf("become user %d: %w", uid, errors.ErrUnsupported)
}
