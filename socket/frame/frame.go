package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	// DefaultLimit is the longest message, in bytes, that a Reader accepts and
	// a Writer sends unless told otherwise.
	DefaultLimit = 1 << 20

	// Unlimited as a limit admits every message that an int can measure.
	Unlimited = math.MaxInt

	// MaxHeaderLen is the length in bytes of the longest header.
	MaxHeaderLen = longHeaderLen

	shortHeaderLen = 4
	longHeaderLen  = 12
	maxShort       = math.MaxInt32
)

var (
	// ErrTruncated says that the stream ended inside a frame: the peer closed
	// or died halfway through a message. It wraps io.ErrUnexpectedEOF.
	ErrTruncated = fmt.Errorf("frame: stream ended inside a frame: %w", io.ErrUnexpectedEOF)

	// ErrTooLarge says that a message is longer than the limit. A Reader that
	// met one cannot find the next frame and fails from then on.
	ErrTooLarge = errors.New("frame: message exceeds the limit")

	// ErrCorrupt says that the peer sent a header that no writer produces: it
	// does not speak this protocol. A Reader that met one fails from then on.
	ErrCorrupt = errors.New("frame: not a frame header")
)

// HeaderLen returns the length in bytes of the header of an n-byte message.
func HeaderLen(n int) int {
	if n > maxShort {
		return longHeaderLen
	}
	return shortHeaderLen
}

// AppendHeader appends the header of an n-byte message to dst.
func AppendHeader(dst []byte, n int) []byte {
	if n > maxShort {
		dst = append(dst, 0xff, 0xff, 0xff, 0xff)
		return binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

// Append appends msg as a whole frame to dst.
func Append(dst, msg []byte) []byte {
	return append(AppendHeader(dst, len(msg)), msg...)
}

// parseHeader reads the header at the start of b. need is its length in bytes;
// while len(b) < need, size means nothing and the caller must bring more.
func parseHeader(b []byte) (size uint64, need int, err error) {
	if len(b) < shortHeaderLen {
		return 0, shortHeaderLen, nil
	}
	switch n := int32(binary.BigEndian.Uint32(b)); {
	case n >= 0:
		return uint64(n), shortHeaderLen, nil
	case n != -1:
		return 0, shortHeaderLen, fmt.Errorf("%w (% x)", ErrCorrupt, b[:shortHeaderLen])
	case len(b) < longHeaderLen:
		return 0, longHeaderLen, nil
	}
	return binary.BigEndian.Uint64(b[shortHeaderLen:]), longHeaderLen, nil
}

// limitOf turns a limit argument into bytes: zero and below mean the default.
func limitOf(limit int) uint64 {
	if limit <= 0 {
		return DefaultLimit
	}
	return uint64(limit)
}

func tooLarge(size, limit uint64) error {
	return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, size, limit)
}
