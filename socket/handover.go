package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A listener passes from one process to its successor in three messages on a
// connection between them:
//
//	predecessor                                  successor
//	"listener\n" address, socket, lock ──────▶
//	                                   ◀──────   "ready"
//	"yours"                            ──────▶   owns the file from here
//
// The socket never closes and its backlog is shared, so no client notices. The
// lock is one lock in both processes, released when the last of them lets go.
// Until "yours" the predecessor owns the socket's file, afterwards the
// successor does; if either dies in between, nobody removes it and the next
// Listen finds it dead.
const (
	handoverOffer = "listener\n"
	handoverReady = "ready"
	handoverYours = "yours"
)

// HandOver gives the listener to the process at the other end of c, which
// calls [TakeOver]. When it returns nil, l is closed, without its file being
// removed. When it returns an error, l works on as before, unless somebody has
// closed it meanwhile.
//
// Both sides must trust each other: check c.Peer. Connections already accepted
// stay here; handshakes under way are broken off when l closes.
func (l *Listener) HandOver(ctx context.Context, c *Conn) error {
	err := l.offer(ctx, c)
	var own ownership
	if err == nil {
		own, err = l.disown()
	}
	if err == nil {
		if err = c.Send(ctx, []byte(handoverYours)); err != nil {
			l.reclaim(own)
		}
	}
	if err != nil {
		return opError("hand over", l.addr, err)
	}
	own.abandon()
	return l.Close()
}

// disown takes the socket file from the listener, so that a Close which comes
// while the successor is told leaves it to him.
func (l *Listener) disown() (ownership, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ownership{}, os.ErrClosed
	}
	own := l.own
	l.own = ownership{}
	return own, nil
}

// reclaim gives own back to the listener, or removes the file if it was closed
// meanwhile.
func (l *Listener) reclaim(own ownership) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.own = own
		return
	}
	_ = own.remove()
	own.release()
}

// offer returns when the successor is ready.
func (l *Listener) offer(ctx context.Context, c *Conn) error {
	files, err := l.passable()
	if err != nil {
		return err
	}
	defer closeFiles(files)
	if err := c.Send(ctx, []byte(handoverOffer+l.absolute()), files...); err != nil {
		return err
	}
	m, err := c.Recv(ctx)
	if err != nil {
		return err
	}
	m.Close()
	if string(m.Data) != handoverReady {
		return fmt.Errorf("the successor says %q: %w", m.Data, os.ErrInvalid)
	}
	return nil
}

// absolute returns the address as another process understands it.
func (l *Listener) absolute() string { return strings.TrimPrefix(l.rule.resource, "socket:") }

// passable returns duplicates of the socket and, if there is one, of its lock.
func (l *Listener) passable() (files []*os.File, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, os.ErrClosed
	}
	var fd int
	var derr error
	err = l.raw.Control(func(lfd uintptr) { fd, derr = sysDup(int(lfd)) })
	if err = errors.Join(err, derr); err != nil {
		return nil, err
	}
	files = append(files, os.NewFile(uintptr(fd), l.addr))
	lock, ok, err := l.own.dupLock()
	if err != nil {
		closeFiles(files)
		return nil, err
	}
	if ok {
		files = append(files, os.NewFile(uintptr(lock), l.addr+".lock"))
	}
	return files, nil
}

// TakeOver receives the listener that the process at the other end of c passes
// with [Listener.HandOver]. It has the same address, and its Close removes the
// socket's file if the predecessor's would have. Of the options, Mode, Group
// and Backlog mean nothing.
//
// Precondition: c takes at least two descriptors with a message.
func TakeOver(ctx context.Context, c *Conn, o *ListenOptions) (*Listener, error) {
	m, err := c.Recv(ctx)
	if err == io.EOF {
		err = ErrPeerClosed
	}
	if err != nil {
		return nil, opError("take over", c.addr, err)
	}
	defer m.Close()
	l, err := takeOver(ctx, c, m, o)
	if err != nil {
		return nil, opError("take over", c.addr, err)
	}
	return l, nil
}

func takeOver(ctx context.Context, c *Conn, m Message, o *ListenOptions) (*Listener, error) {
	addr, ok := cutString(m.Data, handoverOffer)
	if !ok || len(m.Files) < 1 || len(m.Files) > 2 {
		return nil, fmt.Errorf("the predecessor offers no listener: %w", os.ErrInvalid)
	}
	fd, err := dupSocket(m.Files[0])
	if err != nil {
		return nil, err
	}
	var own ownership
	if _, err = sysListening(fd); err == nil && len(m.Files) == 2 {
		own, err = adopt(addr, m.Files[1])
	}
	if err == nil {
		err = c.Send(ctx, []byte(handoverReady))
	}
	if err == nil {
		err = awaitYours(ctx, c)
	}
	if err != nil {
		sysClose(fd)
		own.abandon()
		return nil, err
	}
	return newListener(fd, addr, own, o.orDefault())
}

func awaitYours(ctx context.Context, c *Conn) error {
	m, err := c.Recv(ctx)
	m.Close()
	switch {
	case err == io.EOF:
		return fmt.Errorf("the predecessor kept the listener: %w", ErrPeerClosed)
	case err == nil && string(m.Data) != handoverYours:
		return fmt.Errorf("the predecessor says %q: %w", m.Data, os.ErrInvalid)
	}
	return err
}

func cutString(b []byte, prefix string) (string, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return "", false
	}
	return string(b[len(prefix):]), true
}
