package socket

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// A descriptor is the socket of a Conn, and what a call waits on when there is
// nothing to read, or no room to write. At first that is the runtime's poller:
//
//	socket ──▶ runtime's epoll instance ──▶ goroutine
//
// It watches both directions for as long as the descriptor is open, whether
// anybody waits or not: each message that comes wakes a thread that sleeps
// there, and so does each that the peer takes. To those who poll, all of that is
// for nothing, and the threads take the CPU from the peer. So a connection on
// which polling pays moves to bells of its own, which ring for those who wait:
//
//	socket ──▶ bell of Recv ──┐
//	       └─▶ bell of Send ──┴──▶ runtime's epoll instance ──▶ goroutine
//
// To leave the runtime's poller, a descriptor must be closed. So a connection
// moves by a duplicate.
type descriptor struct {
	file    *os.File
	raw     syscall.RawConn
	in, out *bell // nil: the runtime's poller watches the socket itself
}

// newDescriptor takes over fd. The runtime's poller watches it if it is
// non-blocking.
func newDescriptor(fd int, name string) (*descriptor, error) {
	d := &descriptor{file: os.NewFile(uintptr(fd), name)}
	raw, err := d.file.SyscallConn()
	if err != nil {
		d.file.Close()
		return nil, err
	}
	d.raw = raw
	return d, nil
}

// read calls try, and again whenever there may be something to read, until it
// returns true.
func (d *descriptor) read(try func(fd uintptr) bool) error {
	if d.in != nil {
		return d.in.wait(try)
	}
	return d.raw.Read(try)
}

// write is read for room to write.
func (d *descriptor) write(try func(fd uintptr) bool) error {
	if d.out != nil {
		return d.out.wait(try)
	}
	return d.raw.Write(try)
}

func (d *descriptor) setReadDeadline(t time.Time) error {
	if d.in != nil {
		return d.in.file.SetReadDeadline(t)
	}
	return d.file.SetReadDeadline(t)
}

func (d *descriptor) setWriteDeadline(t time.Time) error {
	if d.out != nil {
		return d.out.file.SetReadDeadline(t)
	}
	return d.file.SetWriteDeadline(t)
}

// close closes the socket before the bells: whoever these wake finds it closed.
func (d *descriptor) close() error {
	err := d.file.Close()
	d.closeBells()
	return err
}

func (d *descriptor) closeBells() {
	for _, b := range []*bell{d.in, d.out} {
		if b != nil {
			b.file.Close()
		}
	}
}

// with calls f with the descriptor. It calls it again if that fails and the
// connection has moved meanwhile: then the descriptor was closed.
func (c *Conn) with(f func(d *descriptor) error) error {
	for {
		d := c.desc.Load()
		err := f(d)
		if err == nil || c.desc.Load() == d {
			return err
		}
	}
}

// control calls f with the descriptor's number.
func (c *Conn) control(f func(fd uintptr)) error {
	return c.with(func(d *descriptor) error { return d.raw.Control(f) })
}

// rawConn is the syscall.RawConn of a Conn, wherever that has moved.
type rawConn struct{ c *Conn }

func (r rawConn) Control(f func(fd uintptr)) error { return r.c.control(f) }

func (r rawConn) Read(f func(fd uintptr) bool) error {
	return r.c.with(func(d *descriptor) error { return d.read(f) })
}

func (r rawConn) Write(f func(fd uintptr) bool) error {
	return r.c.with(func(d *descriptor) error { return d.write(f) })
}

// bellsAfter is how many polls of one direction in a row must have found
// something for the connection to move to bells.
const bellsAfter = 16

// moveToBells is move, if s shows that polling pays, and nobody uses the other
// direction. Precondition: the caller has the turn of the direction of s.
func (c *Conn) moveToBells(s *spinner, other *turn) {
	if s.found < bellsAfter || c.settled.Load() || !other.tryLock() {
		return
	}
	defer other.unlock()
	if !c.settled.Swap(true) {
		_ = c.move(true) // with no descriptors to spare it stays, and works as well
	}
}

// moveBack moves the connection to the runtime's poller for good. One that has
// never moved is there, and needs no turns.
func (c *Conn) moveBack() {
	if !c.settled.Swap(true) && c.desc.Load().in == nil {
		return
	}
	_ = c.in.turn.lock(context.Background())
	defer c.in.turn.unlock()
	_ = c.out.turn.lock(context.Background())
	defer c.out.turn.unlock()
	d := c.desc.Load()
	if d.in == nil {
		return
	}
	d.closeBells() // so that there is a descriptor to spare
	if c.move(false) != nil {
		d.close() // somebody else took it: better than a stream that can't wait
	}
}

// move exchanges the descriptor for one with bells, or without. Precondition:
// the caller has both turns.
func (c *Conn) move(bells bool) error {
	old := c.desc.Load()
	var d *descriptor
	var merr error
	err := old.raw.Control(func(fd uintptr) { d, merr = duplicate(int(fd), c.addr, bells) })
	if err = errors.Join(err, merr); err != nil {
		return err
	}
	c.desc.Store(d)
	c.in.gate.move(d.setReadDeadline)
	if s := c.shared.Load(); s == nil || !s.out.on { // else it waits elsewhere
		c.out.gate.move(d.setWriteDeadline)
	}
	old.close()
	if c.closed.Load() { // Close may have met the old one
		d.close()
	}
	return nil
}
