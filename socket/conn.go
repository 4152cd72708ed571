package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket/frame"
)

// Conn is a connection that carries messages, and descriptors with them.
//
//	callers of Send ──turn──▶ frame.Writer ──▶ outbound ─┐
//	                                                     ├── descriptor
//	callers of Recv ──turn──▶ frame.Reader ──▶ inbound ──┘
//
// The two directions share nothing but the descriptor. In each, one call at a
// time has the turn; the others wait for it, no longer than their contexts.
// A Conn starts no goroutine, except while messages of SendBuffered wait.
//
// All methods are safe for concurrent use.
type Conn struct {
	addr string
	opts ConnOptions
	desc atomic.Pointer[descriptor]
	in   inbound
	out  outbound
	peer acl.Subject

	spin    atomic.Int64 // how long Recv polls at most, in nanoseconds
	hot     atomic.Bool  // and that it may pay
	settled atomic.Bool  // it has moved to bells, or will not
	closed  atomic.Bool
	onClose func() // told once, after the descriptor is closed

	shared atomic.Pointer[shared] // nil: the stream goes over the socket

	pinMu sync.Mutex
	pin   *acl.Process
}

// newConn takes over fd, a connected non-blocking stream socket. addr is for
// error texts.
func newConn(fd int, addr string, o *ConnOptions) (*Conn, error) {
	d, err := newDescriptor(fd, addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{addr: addr}
	c.desc.Store(d)
	c.in.init(c)
	c.out.init(c)
	c.configure(o)
	if c.peer, err = acl.PeerOf(d.file); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		d.close()
		return nil, err
	}
	if bellsAtOnce {
		c.settled.Store(true)
		_ = c.move(true)
	}
	return c, nil
}

// Configure changes the options of a connection that came from [Pair] or
// [FromFile]. Precondition: nothing has been sent or received yet.
func (c *Conn) Configure(o *ConnOptions) {
	c.configure(o)
}

func (c *Conn) configure(o *ConnOptions) {
	c.opts = o.orDefault()
	c.spin.Store(int64(c.opts.Spin))
	c.in.fr = frame.NewReader(&c.in, c.opts.MaxMessage)
	c.out.fw = frame.NewWriter(&c.out, c.opts.MaxMessage)
	_ = c.control(func(fd uintptr) {
		// Both are offers: a system that declines works as well, only less so.
		sysPassRights(int(fd), c.opts.MaxFiles > 0 || c.opts.SharedBuffer > 0)
		if c.out.grown = c.opts.WriteBuffer > 0; c.out.grown {
			sysWriteBuffer(int(fd), c.opts.WriteBuffer)
		}
	})
}

// MaxMessage returns the connection's limit for messages, in bytes.
func (c *Conn) MaxMessage() int { return c.opts.MaxMessage }

// SetSpin is ConnOptions.Spin for a connection in use, whose options have left
// it open (zero).
func (c *Conn) SetSpin(d time.Duration) {
	if c.opts.Spin == 0 {
		c.spin.Store(int64(d))
	}
}

// Spin returns the ConnOptions.Spin in force; zero also if it says never.
func (c *Conn) Spin() time.Duration { return time.Duration(max(c.spin.Load(), 0)) }

// SetMemory makes Recv ask memory for the n bytes of each message of more than
// 16 KiB that does not fit what RecvInto was given: for those who know when a
// message is done with, as package rpc does. What memory returns belongs to the
// message, if its capacity suffices; else the connection allocates. SetMemory must
// not be called while a Recv is under way.
func (c *Conn) SetMemory(memory func(n int) []byte) {
	_ = c.in.turn.lock(context.Background()) // Close may have it
	defer c.in.turn.unlock()
	c.in.fr.SetMemory(memory)
}

// Peer returns who is at the other end, as the kernel told when the connection
// was made: the process that connected, listened, or made the pair. Fields
// that are unknown say so, see [acl.Subject].
func (c *Conn) Peer() acl.Subject { return c.peer }

// PeerProcess pins the peer's process, so that its end can be noticed and a
// recycled pid is never taken for it. The Process belongs to the Conn and is
// closed with it. The error wraps os.ErrProcessDone if the process has ended
// already, and errors.ErrUnsupported where the system can't tell.
func (c *Conn) PeerProcess() (*acl.Process, error) {
	c.pinMu.Lock()
	defer c.pinMu.Unlock()
	if c.closed.Load() {
		return nil, opError("peer process", c.addr, os.ErrClosed)
	}
	if c.pin != nil {
		return c.pin, nil
	}
	var p *acl.Process
	err := c.with(func(d *descriptor) (err error) {
		p, err = acl.ProcessOf(d.file)
		return err
	})
	if err != nil {
		return nil, opError("peer process", c.addr, err)
	}
	known := c.peer.Knows(acl.FieldStartTime) && p.StartTime() != 0
	if known && p.StartTime() != c.peer.StartTime {
		p.Close()
		return nil, opError("peer process", c.addr, fmt.Errorf("pid %d is another process now: %w", p.PID(), os.ErrProcessDone))
	}
	c.pin = p
	return p, nil
}

// Addr returns the address that was dialled or listened on; "pair" or the
// file's name for a connection without one.
func (c *Conn) Addr() string { return c.addr }

// SyscallConn gives access to the descriptor, for socket options. Reading or
// writing through it breaks the connection.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return rawConn{c}, nil }

// CloseWrite tells the peer that no more messages follow: its Recv returns
// io.EOF. Messages of SendBuffered go out first. Receiving goes on; sending
// more is an error that wraps os.ErrClosed.
func (c *Conn) CloseWrite(ctx context.Context) error {
	err := c.out.do(ctx, func(fw *frame.Writer) error {
		if err := fw.Flush(); err != nil {
			return err
		}
		c.out.ended.Store(true)
		c.out.over.Store(true)
		var serr error
		err := c.control(func(fd uintptr) { serr = sysShutdownWrite(int(fd)) })
		if err = errors.Join(err, serr); err != nil {
			return c.cause(err)
		}
		return nil
	})
	if err != nil {
		return opError("close write", c.addr, err)
	}
	return nil
}

// Close closes the connection and the descriptors that came with messages
// nobody received. Calls that wait return an error wrapping os.ErrClosed.
// Messages of SendBuffered that still wait go out if the peer has room for
// them; Flush first to be sure. Further calls of Close do nothing.
func (c *Conn) Close() error {
	if c.closed.Load() {
		return nil
	}
	c.out.flushLast()
	if c.closed.Swap(true) {
		return nil
	}
	c.out.over.Store(true)
	if s := c.shared.Load(); s != nil {
		s.end()
	}
	err := c.desc.Load().close()
	lately.conn.CompareAndSwap(c, nil)
	c.in.gate.forget()
	c.out.gate.forget()
	c.in.closeFiles()
	c.unshare()
	c.out.held.release()
	c.pinMu.Lock()
	if c.pin != nil {
		c.pin.Close()
	}
	c.pinMu.Unlock()
	if c.onClose != nil {
		c.onClose()
	}
	if err != nil && !errors.Is(err, os.ErrClosed) { // by move
		return opError("close", c.addr, err)
	}
	return nil
}

// cause translates an error of the poller or the kernel into ours.
func (c *Conn) cause(err error) error {
	if c.closed.Load() {
		return os.ErrClosed
	}
	return broken(err)
}

// File returns a duplicate of the connection's descriptor to hand to another
// process, in blocking mode, as programs expect that inherit one. The mode
// belongs to the socket and not to the descriptor, so close c afterwards
// without using it again. The caller closes the File.
func (c *Conn) File() (*os.File, error) {
	if c.Shared() {
		return nil, opError("file", c.addr, fmt.Errorf("its messages are in shared memory: %w", errors.ErrUnsupported))
	}
	var dup int
	var derr error
	err := c.control(func(fd uintptr) { dup, derr = sysDupBlocking(int(fd)) })
	if err = errors.Join(err, derr); err != nil {
		return nil, opError("file", c.addr, c.cause(err))
	}
	return os.NewFile(uintptr(dup), c.addr), nil
}

// FromFile returns a connection over a duplicate of f, a connected Unix stream
// socket, such as one inherited from a parent process. The caller closes f and
// does not use it otherwise.
//
// Peer is whoever connected or made the pair: of a pair inherited from the
// parent that is the parent, whoever has the other end now.
func FromFile(f *os.File) (*Conn, error) {
	fd, err := dupSocket(f)
	if err != nil {
		return nil, opError("from file", f.Name(), err)
	}
	_ = sysNoExtras(fd)
	c, err := newConn(fd, f.Name(), nil)
	if err != nil {
		return nil, opError("from file", f.Name(), err)
	}
	return c, nil
}

// dupSocket duplicates f into a non-blocking, close-on-exec descriptor, if it
// is a stream socket.
func dupSocket(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	var fd int
	var derr error
	if err := raw.Control(func(of uintptr) { fd, derr = sysDupSocket(int(of)) }); err != nil {
		return -1, err
	}
	return fd, derr
}

// Pair returns two connections with each other: what one sends, the other
// receives. Their Peer is the calling process.
func Pair() (*Conn, *Conn, error) {
	fa, fb, err := sysPair()
	if err != nil {
		return nil, nil, opError("pair", "pair", err)
	}
	a, err := newConn(fa, "pair", nil)
	if err != nil {
		sysClose(fb)
		return nil, nil, opError("pair", "pair", err)
	}
	b, err := newConn(fb, "pair", nil)
	if err != nil {
		a.Close()
		return nil, nil, opError("pair", "pair", err)
	}
	if sharedByDefault > 0 {
		_ = a.share(context.Background())
	}
	return a, b, nil
}
