//go:build unix && (!linux || ipcportable)

package pipe

import (
	"context"
	"errors"
	"io"
)

// spliceAll moves nothing: no other system has splice(2).
func spliceAll(context.Context, *Moved, io.Reader, []io.Writer) error {
	return errors.ErrUnsupported
}
