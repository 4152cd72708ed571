package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/ipcctl/ipc/socket/frame"
)

// shared is memory through which the stream of a connection goes, instead of through the
// kernel, and what its two sides need besides:
//
//	            ring 0 ──────────────────▶
//	dialler ◀── ring 1                      listener
//	            the socket ◀─────────────▶  bells of writers, descriptors, the end
//	            the bells  ◀─────────────▶  bells of readers
//
// Whoever dials makes the memory and a pair of sockets for the bells, and offers both with
// the first bytes on the socket:
//
//	0   -1      int32, network order: a frame of
//	4   2^64-2  uint64, a length that none has, and that a Python cannot even ask for
//	12  1       uint32, version
//	16  size    uint64, bytes of one ring
//	with two descriptors: the memory, a sealed memfd, and the peer's end of the bells
//
// From then on what it sends goes through ring 0. The peer's stream begins on the socket:
// it enters ring 1, at any byte, with the first write after the offer was read, and
// ring.switched says at which. After that a stream's direction of the socket carries
//
//	0                      a bell: something was published
//	1, offset of 8 bytes   with descriptors: they belong to the message that begins there
//
// and the bells carry nothing but bells: something was taken. So who waits for something
// to read waits on the socket, who waits for room on the bells, and both meet the end when
// the peer closes or dies.
//
// The memory cannot shrink, and what is read from it is copied before anybody looks at it.
// Should the system not be able to provide a page of it, which takes a peer that gives
// pages back, that is an error of the connection.
type shared struct {
	mem   []byte
	leak  runtime.Cleanup // unmaps it, if nobody calls Close
	bells *descriptor
	in    sharedIn
	out   sharedOut

	tellRoom func()       // rings for a peer that waits for room
	tellMore func() error // rings for one that waits for something to read
	deserted func() bool  // reports whether the peer has closed or died without having said so
}

// sharedIn belongs to whoever has the turn of Recv.
type sharedIn struct {
	ringReader
	on      bool     // the stream has entered the ring
	records []record // heard of, for what is not yet taken from the ring
	claimed uint64   // those before

	part  [recordLen]byte // the beginning of a record
	parts int
	files []*os.File // which came with it
	cut   bool       // and some that did not
}

// sharedOut belongs to whoever has the turn of Send.
type sharedOut struct {
	ringWriter
	on   bool   // the stream has entered the ring
	sent uint64 // records

	// the wait under way
	need int // bytes of room
	err  error
	wait func(fd uintptr) bool // outbound.tryRoom, bound once
}

// record is descriptors that came over the socket, and where they belong.
type record struct {
	at    uint64 // in the ring
	files []*os.File
	cut   bool // some are missing
}

const (
	offerLen     = 24
	offerFiles   = 2
	offerFirst   = 0xff // of its bytes
	offerMark    = 1<<64 - 2
	offerVersion = 1

	bellByte   = 0
	recordByte = 1
	recordLen  = 9

	minShared = 16 << 10
	maxShared = 1 << 29 // two of them can be mapped with 32 bits
)

// sharedSize is ConnOptions.SharedBuffer as the size of a ring.
func sharedSize(n int) int {
	n = min(max(n, minShared), maxShared)
	return 1 << bits.Len(uint(n-1))
}

func appendOffer(b []byte, size int) []byte {
	b = binary.BigEndian.AppendUint32(b, 1<<32-1)
	b = binary.BigEndian.AppendUint64(b, offerMark)
	b = binary.BigEndian.AppendUint32(b, offerVersion)
	return binary.BigEndian.AppendUint64(b, uint64(size))
}

// parseOffer returns the size of the rings that b offers, if that is at most limit.
func parseOffer(b []byte, limit int) (int, error) {
	if len(b) != offerLen || !isOffer(b) {
		return 0, fmt.Errorf("an offer of shared memory that begins with %#x: %w", b, frame.ErrCorrupt)
	}
	version, size := binary.BigEndian.Uint32(b[12:]), binary.BigEndian.Uint64(b[16:])
	switch {
	case limit <= 0:
		return 0, fmt.Errorf("the peer offers shared memory, which ConnOptions.SharedBuffer would allow: %w", frame.ErrCorrupt)
	case version != offerVersion:
		return 0, fmt.Errorf("the peer offers shared memory of version %d, not %d: %w", version, offerVersion, frame.ErrCorrupt)
	case size > uint64(limit):
		return 0, fmt.Errorf("the peer offers %d bytes of shared memory, ConnOptions.SharedBuffer is %d: %w", size, limit, ErrTooLarge)
	case size < minShared || size&(size-1) != 0:
		return 0, fmt.Errorf("the peer offers %d bytes of shared memory: %w", size, frame.ErrCorrupt)
	}
	return int(size), nil
}

func isOffer(b []byte) bool {
	return len(b) >= 12 && binary.BigEndian.Uint32(b) == 1<<32-1 && binary.BigEndian.Uint64(b[4:]) == offerMark
}

// Share offers the peer of a connection that came from [Pair] or [FromFile] to send
// messages through shared memory, as Dial does by itself where ConnOptions.SharedBuffer
// says so. One of the two sides calls it, both have a SharedBuffer, and nothing has been
// sent yet. The error wraps errors.ErrUnsupported where the system has no memory that is
// safe to share, or the peer refuses descriptors: then everything goes through the kernel,
// as before.
func (c *Conn) Share(ctx context.Context) error {
	err := c.share(ctx)
	if err != nil {
		return opError("share", c.addr, err)
	}
	return nil
}

// Shared reports whether messages are sent through shared memory. A listener's
// connection learns of the offer by its first Recv.
func (c *Conn) Shared() bool { return c.shared.Load() != nil }

func (c *Conn) share(ctx context.Context) error {
	if c.opts.SharedBuffer <= 0 {
		return fmt.Errorf("without ConnOptions.SharedBuffer: %w", os.ErrInvalid)
	}
	size := c.opts.SharedBuffer
	return c.out.do(ctx, func(*frame.Writer) error {
		if c.Shared() || c.out.sent > 0 {
			return fmt.Errorf("after something was sent: %w", os.ErrInvalid)
		}
		s, theirs, err := sysMakeShared(size, c.addr)
		if err != nil {
			return err
		}
		defer closeFiles(theirs)
		settled := c.settled.Load()
		if err := c.install(s); err != nil { // before the peer can ring
			return err
		}
		err = withDescriptors(theirs, nil, func(fds []int) error {
			c.out.rights = sysRights(fds)
			defer func() { c.out.rights = nil }()
			_, err := c.out.writeSocket(appendOffer(nil, size), nil)
			return err
		})
		if errors.Is(err, syscall.EPERM) { // it has turned SO_PASSRIGHTS off
			err = fmt.Errorf("the peer takes no descriptors: %w", errors.ErrUnsupported)
		}
		if err != nil {
			c.uninstall(s)
			c.settled.Store(settled)
			return err
		}
		c.out.enterRing(s)
		return nil
	})
}

// uninstall takes back install, where no peer knows of s. Close, or who has the other turn,
// may be looking at the memory: then it goes when they have forgotten it.
func (c *Conn) uninstall(s *shared) {
	c.shared.CompareAndSwap(s, nil)
	s.bells.close()
	if !c.closed.Load() && c.in.turn.tryLock() {
		s.release()
		c.in.turn.unlock()
	}
}

// install begins to use s, or lets go of it. Precondition: the caller has a turn.
func (c *Conn) install(s *shared) error {
	s.bind(c)
	c.settled.Store(true) // bells of its own would ring for nobody
	if !c.shared.CompareAndSwap(nil, s) {
		s.release()
		return errBothOffer
	}
	if c.closed.Load() { // Close may have been before
		s.bells.close()
	}
	_ = c.control(func(fd uintptr) { sysPassRights(int(fd), c.opts.MaxFiles > 0) })
	return nil
}

var errBothOffer = fmt.Errorf("both sides offer shared memory, where one does: %w", frame.ErrCorrupt)

// bind makes what would be made anew for each call.
func (s *shared) bind(c *Conn) {
	s.out.wait = c.out.tryRoom
	room := func(fd uintptr) { _ = signal(fd, c.hot.Load()) }
	s.tellRoom = func() { _ = s.bells.raw.Control(room) }
	var failed error // of the sender, who has the turn
	more := func(fd uintptr) { failed = signal(fd, c.hot.Load()) }
	s.tellMore = func() error {
		if err := c.desc.Load().raw.Control(more); err != nil {
			return err
		}
		return failed
	}
	var hup bool // likewise
	look := func(fd uintptr) { hup = sysHungUp(int(fd)) }
	s.deserted = func() bool { return s.bells.raw.Control(look) == nil && hup }
}

// takeOffer takes over memory that came with the first bytes on the socket, b, and files.
func (c *Conn) takeOffer(b []byte, files []*os.File) error {
	defer closeFiles(files)
	if c.Shared() {
		return errBothOffer
	}
	size, err := parseOffer(b, c.opts.SharedBuffer)
	if err != nil {
		return err
	}
	if len(files) != offerFiles {
		return fmt.Errorf("an offer of shared memory with %d descriptors: %w", len(files), frame.ErrCorrupt)
	}
	s, err := sysMapShared(files[0], files[1], size, c.addr)
	if err != nil {
		return fmt.Errorf("the peer offers shared memory: %w", err)
	}
	s.in.on = true
	return c.install(s)
}

// useRings makes s of two rings in mem: the connection writes to ring i.
func useRings(mem []byte, size, i int, bells *descriptor) *shared {
	s := &shared{mem: mem, bells: bells}
	s.leak = runtime.AddCleanup(s, sysUnmap, mem)
	s.out.ring = ringIn(mem, i, size)
	s.in.ring = ringIn(mem, 1-i, size)
	return s
}

// release lets go of what is s, which the caller alone has.
func (s *shared) release() {
	s.leak.Stop()
	s.bells.close()
	sysUnmap(s.mem)
}

// end tells the peer that this side reads no more, and wakes who waits for room.
func (s *shared) end() {
	var err error
	defer s.guard(debug.SetPanicOnFault(true), &err)
	s.in.reader.Or(gone)
	s.bells.close()
}

// unshare lets go of the memory, once the connection is closed.
func (c *Conn) unshare() {
	_ = c.out.turn.lock(context.Background()) // in.turn was waited for; who comes later finds closed set
	defer c.out.turn.unlock()
	if s := c.shared.Swap(nil); s != nil {
		s.end() // it may have come during Close
		s.release()
	}
}

// guard makes an error of a fault in the memory. It is deferred.
func (s *shared) guard(old bool, err *error) {
	debug.SetPanicOnFault(old)
	p := recover()
	if p == nil {
		return
	}
	f, ok := p.(interface{ Addr() uintptr })
	if start := uintptr(unsafe.Pointer(unsafe.SliceData(s.mem))); !ok || f.Addr()-start >= uintptr(len(s.mem)) {
		panic(p)
	}
	*err = fmt.Errorf("a page of the shared memory is gone: %w", errRing)
}

// withdraw takes back that this side sleeps.
func (s *shared) withdraw(word *atomic.Uint32) {
	var err error
	defer s.guard(debug.SetPanicOnFault(true), &err)
	s.in.withdraw(word)
}

// signal rings for the peer by one byte on fd. Where that finds no room, the peer has not
// heard earlier ones yet, and will.
func signal(fd uintptr, hot bool) (err error) {
	var b [1]byte // bellByte
	if hot {
		_, err = sysSendHot(int(fd), b[:], nil, nil)
	} else {
		_, err = sysSend(int(fd), b[:], nil, nil)
	}
	if err == syscall.EAGAIN {
		return nil
	}
	return err
}
