//go:build ipcportable || (!linux && !darwin && !freebsd)

package acl

import "errors"

// newNotifier leaves it to the clock.
func newNotifier() (notifier, error) { return nil, errors.ErrUnsupported }
