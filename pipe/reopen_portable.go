//go:build unix && (!linux || ipcportable)

package pipe

import "errors"

func reopen(int, int) (int, error) { return -1, errors.ErrUnsupported }
