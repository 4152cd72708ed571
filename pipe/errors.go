package pipe

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

var (
	// ErrNoWriter says that no writer has come yet. It is never the end of a
	// stream: that is io.EOF, and it means that the writers are gone.
	ErrNoWriter = errors.New("no writer has opened it yet")

	// ErrNoReader says that no reader has come yet. A writer whose readers are
	// gone fails with syscall.EPIPE instead.
	ErrNoReader = errors.New("no reader has opened it yet")

	// ErrNotFIFO says that what is at the path is something else.
	ErrNotFIFO = errors.New("not a FIFO")

	// ErrUntrusted says that a FIFO belongs to another user, or that other users
	// may write to it.
	ErrUntrusted = errors.New("not this user's alone")

	// ErrMessageSize says that a message is empty or too long for its pipe; the
	// text says which and what the bounds are. Nothing of it was sent.
	ErrMessageSize = errors.New("message size out of bounds")

	errBusy  = errors.New("another call is using it")
	errMixed = errors.New("messages were received from this pipe and bytes may be read ahead: keep to Recv")
)

// fail names the operation and the pipe that err is about. The end of a stream
// is no failure: io.EOF stays as it is.
func fail(op, name string, err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, syscall.EPIPE):
		err = fmt.Errorf("the reader is gone: %w", err)
	}
	if name == "" {
		return fmt.Errorf("pipe: %s: %w", op, err)
	}
	return fmt.Errorf("pipe: %s %q: %w", op, name, err)
}
