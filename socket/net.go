package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/ipcctl/ipc/acl"
)

// NetListener returns the listener as a net.Listener for packages that speak
// their own protocol, such as net/http: its connections are plain streams, with
// the listener's policy, limits and authentication behind them and the peer's
// identity at hand, see [PeerOf]. Clients do not set ConnOptions.SharedBuffer: their
// offer would be bytes of the stream. Closing it closes l.
func (l *Listener) NetListener() net.Listener { return netListener{l} }

type netListener struct{ l *Listener }

func (n netListener) Accept() (net.Conn, error) {
	c, err := n.l.Accept(context.Background())
	if errors.Is(err, os.ErrClosed) {
		return nil, &net.OpError{Op: "accept", Net: "unix", Addr: n.Addr(), Err: net.ErrClosed}
	}
	if err != nil {
		return nil, err
	}
	return c.NetConn(), nil
}

func (n netListener) Close() error   { return n.l.Close() }
func (n netListener) Addr() net.Addr { return &net.UnixAddr{Name: n.l.addr, Net: "unix"} }

// NetConn returns the connection as a plain stream of bytes. Bytes that were
// already read for messages come first, and no context or time-out of an
// earlier call matters any more. Flush first what SendBuffered has taken: it
// would go out between the bytes of the stream, and NetConn may wait for it.
// Afterwards c's own Send and Recv must not be used; closing either closes both.
// Through shared memory there is no such stream: Read and Write return errors.
func (c *Conn) NetConn() net.Conn {
	// A context that came twice is still watched, that of the handshake for
	// one, and acts by the descriptor's deadline.
	c.in.gate.forget()
	c.out.gate.forget()
	c.moveBack()
	return &netConn{c: c}
}

// PeerOf returns who is at the other end of a net.Conn that came from
// [Listener.NetListener] or [Conn.NetConn], as in http.Server.ConnContext. The
// second result is false for any other.
func PeerOf(c net.Conn) (acl.Subject, bool) {
	n, ok := c.(*netConn)
	if !ok {
		return acl.Subject{}, false
	}
	return n.c.peer, true
}

// netConn leaves deadlines and waiting to os.File.
type netConn struct{ c *Conn }

func (n *netConn) Read(p []byte) (int, error) {
	if early, ok := n.c.in.early(p); ok {
		return early, nil
	}
	if n.c.Shared() {
		return 0, n.shared("read")
	}
	k, err := n.c.desc.Load().file.Read(p)
	return k, n.wrap("read", err)
}

func (n *netConn) Write(p []byte) (int, error) {
	if n.c.Shared() {
		return 0, n.shared("write")
	}
	k, err := n.c.desc.Load().file.Write(p)
	return k, n.wrap("write", err)
}

// wrap gives errors the shape that users of net expect.
func (n *netConn) wrap(op string, err error) error {
	var perr *os.PathError
	if !errors.As(err, &perr) {
		return err // nil, io.EOF
	}
	err = perr.Err
	if n.c.closed.Load() || errors.Is(err, os.ErrClosed) {
		err = net.ErrClosed
	} else if e, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, e)
	}
	return &net.OpError{Op: op, Net: "unix", Addr: n.RemoteAddr(), Err: err}
}

func (n *netConn) shared(op string) error {
	return &net.OpError{Op: op, Net: "unix", Addr: n.RemoteAddr(), Err: fmt.Errorf("a stream in shared memory: %w", errors.ErrUnsupported)}
}

func (n *netConn) Close() error         { return n.c.Close() }
func (n *netConn) CloseWrite() error    { return n.c.CloseWrite(context.Background()) }
func (n *netConn) LocalAddr() net.Addr  { return &net.UnixAddr{Name: n.c.addr, Net: "unix"} }
func (n *netConn) RemoteAddr() net.Addr { return &net.UnixAddr{Name: n.c.addr, Net: "unix"} }

func (n *netConn) SetDeadline(t time.Time) error {
	return errors.Join(n.SetReadDeadline(t), n.SetWriteDeadline(t))
}
func (n *netConn) SetReadDeadline(t time.Time) error {
	return n.wrap("set", n.c.desc.Load().file.SetReadDeadline(t))
}
func (n *netConn) SetWriteDeadline(t time.Time) error {
	return n.wrap("set", n.c.desc.Load().file.SetWriteDeadline(t))
}

// SyscallConn gives access to the descriptor.
func (n *netConn) SyscallConn() (syscall.RawConn, error) { return n.c.SyscallConn() }

// early returns bytes that the frame.Reader holds.
func (in *inbound) early(p []byte) (int, bool) {
	_ = in.turn.lock(context.Background())
	defer in.turn.unlock()
	if in.fr.Buffered() == 0 || len(p) == 0 {
		return 0, false
	}
	n, err := in.fr.ReadRaw(p)
	return n, err == nil
}
