package socket

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/ipcctl/ipc/socket/frame"
)

var (
	// ErrPeerClosed says that the peer has closed the connection, or died,
	// without taking everything that it was sent. It comes with the kernel's
	// own error, EPIPE or ECONNRESET. A peer that closed cleanly is io.EOF
	// from Recv, one that closed inside a message is [ErrTruncated].
	ErrPeerClosed = errors.New("the peer has closed the connection")

	// ErrTruncated says that the peer closed or died inside a message.
	ErrTruncated = frame.ErrTruncated

	// ErrTooLarge says that a message is longer than ConnOptions.MaxMessage.
	// Received, it ends the connection's inbound side; to be sent, it does
	// nothing.
	ErrTooLarge = frame.ErrTooLarge

	// ErrTooManyFiles says that a message carries more descriptors than
	// ConnOptions.MaxFiles, or than the kernel passes. Received ones are
	// closed, and the connection's inbound side has ended.
	ErrTooManyFiles = errors.New("too many descriptors with one message")

	// ErrTimeout says that the connection's own IdleTimeout or FrameTimeout
	// has passed. It wraps os.ErrDeadlineExceeded.
	ErrTimeout = fmt.Errorf("the peer took too long: %w", os.ErrDeadlineExceeded)
)

// opError wraps err with what was being done to what: socket: recv "/run/x": …
func opError(op, addr string, err error) error {
	return fmt.Errorf("socket: %s %s: %w", op, strconv.Quote(addr), err)
}

// broken names the two errors by which a kernel says that the peer is gone.
func broken(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%w: %w", ErrPeerClosed, err)
	}
	return err
}
