package socket

import (
	"time"

	"github.com/ipcctl/ipc/socket/frame"
)

const (
	// DefaultMaxMessage is the longest message, in bytes, unless told otherwise.
	DefaultMaxMessage = frame.DefaultLimit

	// DefaultMaxFiles is the most descriptors that come with one message
	// unless told otherwise.
	DefaultMaxFiles = 16

	// MaxFiles is the most descriptors that Linux passes with one message
	// (SCM_MAX_FD).
	MaxFiles = 253
)

// ConnOptions are what every connection has, however it came about. The zero
// value, and nil, mean the defaults.
type ConnOptions struct {
	// MaxMessage limits messages in both directions, in bytes, checked before
	// memory is spent. Zero means DefaultMaxMessage; frame.Unlimited none.
	MaxMessage int

	// MaxFiles limits the descriptors received with one message. Zero means
	// DefaultMaxFiles. Below zero none are wanted: the kernel refuses them
	// where it can (SO_PASSRIGHTS, Linux 6.16), otherwise it discards them,
	// and the message arrives without.
	MaxFiles int

	// IdleTimeout is how long Recv waits for a message to begin. Zero: as
	// long as its context allows.
	IdleTimeout time.Duration

	// FrameTimeout is how long a message that has begun may take to arrive
	// wholly, while Recv waits for it. Zero: as long as its context allows.
	FrameTimeout time.Duration

	// Spin is for how long Recv polls the socket before it sleeps, at most (now
	// and then twice as long, to find out whether that would pay again). It
	// spares the wake-up when the peer answers within microseconds and both
	// have a CPU to themselves. Meanwhile it costs that CPU, which other
	// goroutines of the process may want, and is given up while it does not
	// pay. Where it pays, the connection takes two more descriptors on Linux.
	//
	// 50 microseconds is plenty, and the most while other connections of the
	// process poll too. Zero: Recv polls only while a message of 16 KiB or more
	// is on its way, when the other side is copying the next part of it, for up
	// to 200 microseconds; package rpc chooses for the connections that it
	// uses. Below zero: never.
	Spin time.Duration

	// WriteBuffer is the kernel's buffer for what the peer has not yet read, in
	// bytes: how far a sender may run ahead. The system may grant less than
	// asked. Zero: the system's default, and 512 KiB from the first time that
	// it was full of long messages or of many short ones.
	WriteBuffer int

	// SharedBuffer sends messages through memory that both processes map, instead
	// of through the kernel: many bytes in each direction. A round trip of short
	// messages then takes a tenth of the time, as long as both sides have a CPU, and
	// a long message half. Everything else is as before: identity, policy,
	// descriptors, limits, the end. 256 KiB is plenty; it is rounded up to a power of
	// two from 16 KiB to 512 MiB. Dial takes twice as much from the system, at once.
	//
	// Dial offers it, and a listener accepts offers of up to as much as it says
	// itself; it goes on to serve who offers nothing. So both must say so, as with an
	// AuthKey: a peer that does not, or a Python, takes the offer for a broken frame.
	// Where the system has no memory that is safe to share, on anything but Linux, or
	// the peer refuses descriptors, messages go through the kernel.
	//
	// With it, Recv polls for 50 microseconds at most where Spin is zero, and each side
	// has one more descriptor.
	SharedBuffer int
}

func (o *ConnOptions) orDefault() ConnOptions {
	var c ConnOptions
	if o != nil {
		c = *o
	}
	if c.MaxMessage <= 0 {
		c.MaxMessage = DefaultMaxMessage
	}
	if c.SharedBuffer == 0 {
		c.SharedBuffer = sharedByDefault
	}
	if c.SharedBuffer > 0 {
		c.SharedBuffer = sharedSize(c.SharedBuffer)
	}
	switch {
	case c.MaxFiles == 0:
		c.MaxFiles = DefaultMaxFiles
	case c.MaxFiles < 0:
		c.MaxFiles = 0
	case c.MaxFiles > MaxFiles:
		c.MaxFiles = MaxFiles
	}
	return c
}
