package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Every frame is one message of package socket (PROTOCOL.md):
//
//	0      1       2        4         8
//	| kind | flags | aux    | call id | payload
//
// All integers are big-endian.
const headerLen = 8

type kind uint8

const (
	kindCall   kind = 1 // aux: length of the method's name; payload: timeout, method, data
	kindData   kind = 2 // aux: number of its descriptors; payload: one message of the stream
	kindEnd    kind = 3 // aux: Code; payload: the reply, or the error's text
	kindCredit kind = 4 // payload: uint32, bytes that may be sent in addition
	kindCancel kind = 5
	kindGoAway kind = 6 // id 0: no new calls, please
)

const (
	flagOneWay uint8 = 1 << iota // call: nobody waits for an end
	flagSends                    // call: the caller sends a stream
	flagTakes                    // call: the caller takes a stream
	flagLast                     // data: no message, the stream is complete
)

const (
	timeoutLen = 8
	creditLen  = 4

	// MaxMethodLen is the longest name of a method, in bytes.
	MaxMethodLen = 1024

	// initialWindow is what each side of a stream may send at first, and the
	// most it ever may have outstanding.
	initialWindow = 1 << 20

	// messageCost is what a message takes of the window beside its bytes, so
	// that empty ones are not free.
	messageCost = 64

	// fileCost is what each of its descriptors takes, of which a process has far fewer
	// than bytes.
	fileCost = 16 << 10
)

// errProtocol says that the peer broke the protocol; the connection is closed.
var errProtocol = errors.New("the peer does not keep the protocol")

// header is the fixed part of a frame.
type header struct {
	kind  kind
	flags uint8
	aux   uint16
	id    uint32
}

func (h header) append(b []byte) []byte {
	b = append(b, byte(h.kind), h.flags)
	b = binary.BigEndian.AppendUint16(b, h.aux)
	return binary.BigEndian.AppendUint32(b, h.id)
}

// parseHeader splits a frame, and checks what does not depend on the state of
// calls.
func parseHeader(b []byte) (header, []byte, error) {
	if len(b) < headerLen {
		return header{}, nil, fmt.Errorf("%w: a frame of %d bytes", errProtocol, len(b))
	}
	h := header{kind(b[0]), b[1], binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:])}
	payload := b[headerLen:]
	switch {
	case h.kind < kindCall || h.kind > kindGoAway:
		return h, nil, fmt.Errorf("%w: frame of kind %d", errProtocol, h.kind)
	case h.kind == kindCredit && len(payload) != creditLen:
		return h, nil, fmt.Errorf("%w: credit of %d bytes", errProtocol, len(payload))
	}
	return h, payload, nil
}

// parseCall splits the payload of a call.
func parseCall(h header, payload []byte) (timeout time.Duration, method, data []byte, err error) {
	n := int(h.aux)
	if len(payload) < timeoutLen+n || n == 0 || n > MaxMethodLen {
		return 0, nil, nil, fmt.Errorf("%w: a call of %d bytes with a method of %d", errProtocol, len(payload), n)
	}
	ns := binary.BigEndian.Uint64(payload)
	method = payload[timeoutLen : timeoutLen+n : timeoutLen+n]
	return time.Duration(min(ns, math.MaxInt64)), method, payload[timeoutLen+n:], nil
}

// appendCall appends a call but for its data. A timeout of zero is none.
func appendCall(b []byte, id uint32, flags uint8, timeout time.Duration, method string) []byte {
	b = header{kindCall, flags, uint16(len(method)), id}.append(b)
	b = binary.BigEndian.AppendUint64(b, uint64(max(timeout, 0)))
	return append(b, method...)
}

func appendCredit(b []byte, id uint32, n int) []byte {
	return binary.BigEndian.AppendUint32(header{kind: kindCredit, id: id}.append(b), uint32(n))
}
