package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/ipcctl/ipc/acl"
)

// Defaults of ListenOptions.
const (
	DefaultMode             = 0o600
	DefaultBacklog          = 128
	DefaultMaxConns         = 4096
	DefaultMaxHandshakes    = 64
	DefaultHandshakeTimeout = 5 * time.Second
)

// ListenOptions are what a listener can be told. The zero value, and nil, mean
// the defaults.
type ListenOptions struct {
	// Mode is the permission of the socket file: who may connect needs write
	// permission. Zero means DefaultMode, the user alone. The umask does not
	// matter.
	Mode os.FileMode

	// Group is the group of the socket file, by name or number. Empty leaves
	// the one that new files get.
	Group string

	// Backlog is how many connections wait to be accepted; more of them are
	// held up in connect. Zero means DefaultBacklog.
	Backlog int

	// Policy decides who may "connect" to "socket:" + the absolute path (or
	// "socket:@name"), before a byte is read. Nil admits everyone whom the
	// socket's mode admits; on an abstract name, which has none, root and the
	// own user. Of one that changes, the connections stay that it admitted before.
	Policy Policy

	// Allow decides as well, if there is one: it admits by returning nil. Other
	// errors are made to wrap os.ErrPermission. It must not block.
	Allow func(acl.Subject) error

	// AuthKey makes peers prove that they know it, and proves it to them, as
	// multiprocessing.connection does. Accept returns only those that did. An
	// empty key is none: beware of an empty file.
	AuthKey []byte

	// AllowMD5 accepts the digest of Python up to 3.11, HMAC-MD5.
	AllowMD5 bool

	// HandshakeTimeout limits the proof. Zero means DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// MaxHandshakes limits the proofs under way. When one more connects, the
	// oldest of the user with the most is dropped. Zero means
	// DefaultMaxHandshakes.
	MaxHandshakes int

	// MaxConns limits the connections accepted and not yet closed; further
	// ones are closed at once. Zero means DefaultMaxConns.
	MaxConns int

	// MaxConnsPerUID limits those of one user. Zero: no more than MaxConns.
	MaxConnsPerUID int

	// Refused is told of every connection that was turned away, and why, if it
	// is not nil; the peer is not, it finds the connection closed. It must not
	// block.
	Refused func(acl.Subject, error)

	// Conn are the options of the connections.
	Conn ConnOptions
}

func (o *ListenOptions) orDefault() ListenOptions {
	var l ListenOptions
	if o != nil {
		l = *o
	}
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.Backlog, DefaultBacklog)
	set(&l.MaxHandshakes, DefaultMaxHandshakes)
	set(&l.MaxConns, DefaultMaxConns)
	set(&l.MaxConnsPerUID, l.MaxConns)
	if l.Mode == 0 {
		l.Mode = DefaultMode
	}
	if l.HandshakeTimeout <= 0 {
		l.HandshakeTimeout = DefaultHandshakeTimeout
	}
	return l
}

// Listener accepts connections. All methods are safe for concurrent use.
type Listener struct {
	addr string
	opts ListenOptions
	rule rule
	file *os.File
	raw  syscall.RawConn
	own  ownership // of the socket file; empty for an inherited socket
	door door

	extras bool // whoever made the socket had the kernel add control messages

	acceptTurn turn
	gate       gate
	reserve    reserve
	lobby      *lobby // where handshakes happen; nil without AuthKey

	mu      sync.Mutex
	closed  bool
	closing chan struct{}
}

// Listen makes a socket at addr, a path or on Linux "@name", and listens.
//
// A path belongs to one listener. As long as it lives it holds a lock on the
// file path + ".lock", which the kernel releases if the process dies. Whoever
// gets the lock replaces a socket file left behind by a dead one, after making sure
// that nobody answers there; a socket that some program made without the lock
// is given a second to prove itself alive. What is not a socket is never
// touched.
//
// On Linux the socket file has its final mode from the start, and no length of
// path is too long. Errors wrap EADDRINUSE (a live socket), os.ErrExist
// (another kind of file, or a lock file of another program, such as mysqld's),
// os.ErrPermission, os.ErrNotExist (the directory), ErrPathTooLong,
// os.ErrInvalid.
func Listen(addr string, o *ListenOptions) (*Listener, error) {
	if err := checkAddr(addr); err != nil {
		return nil, opError("listen", addr, err)
	}
	opts := o.orDefault()
	fd, own, err := sysListen(addr, &opts)
	if err != nil {
		return nil, opError("listen", addr, err)
	}
	return newListener(fd, addr, own, opts)
}

// ListenFile returns a listener over a duplicate of f, a listening Unix stream
// socket that somebody else made, such as a parent process. The caller closes
// f. Closing the listener leaves the socket's file alone; Mode, Group and
// Backlog mean nothing.
func ListenFile(f *os.File, o *ListenOptions) (*Listener, error) {
	fd, err := dupSocket(f)
	if err != nil {
		return nil, opError("listen file", f.Name(), err)
	}
	addr, err := sysListening(fd)
	if err != nil {
		sysClose(fd)
		return nil, opError("listen file", f.Name(), err)
	}
	return newListener(fd, addr, ownership{}, o.orDefault())
}

// newListener takes over fd and own.
func newListener(fd int, addr string, own ownership, opts ListenOptions) (*Listener, error) {
	l := &Listener{
		addr: addr, opts: opts, own: own,
		rule:       newRule(addr, "connect", opts.Policy, opts.Allow),
		file:       os.NewFile(uintptr(fd), addr),
		acceptTurn: newTurn(),
		closing:    make(chan struct{}),
	}
	l.gate.setDeadline = l.file.SetReadDeadline
	l.door = door{max: opts.MaxConns, maxPerUID: opts.MaxConnsPerUID, byUID: map[uint32]int{}}
	var err error
	if l.raw, err = l.file.SyscallConn(); err == nil {
		sysPassRights(fd, opts.Conn.MaxFiles >= 0 || opts.Conn.orDefault().SharedBuffer > 0)
		l.extras = sysNoExtras(fd)
		err = l.reserve.open()
	}
	if err != nil {
		own.remove()
		l.file.Close()
		own.release()
		return nil, opError("listen", addr, err)
	}
	if len(opts.AuthKey) > 0 {
		l.lobby = newLobby(l)
		go l.lobby.run()
	}
	return l, nil
}

// Addr returns the address: the path, or "@name".
func (l *Listener) Addr() string { return l.addr }

// SyscallConn gives access to the descriptor.
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.file.SyscallConn() }

// Accept returns the next connection that the options admit; it closes the
// others. The error wraps os.ErrClosed, ctx.Err() or a failure of the system.
// Running out of descriptors is no error: a reserve serves to turn away who
// comes meanwhile, and accepting goes on.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	var c *Conn
	err := ctx.Err()
	switch {
	case err != nil:
	case l.lobby != nil:
		c, err = l.lobby.accept(ctx)
	default:
		c, err = l.acceptAdmitted(ctx)
	}
	if err != nil {
		return nil, opError("accept", l.addr, err)
	}
	return c, nil
}

// Close stops listening and removes the socket file if it is still the one
// that Listen made. Connections stay. Calls of Accept return an error wrapping
// os.ErrClosed. Further calls of Close do nothing.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.closing)
	own := l.own
	l.own = ownership{}
	l.mu.Unlock()

	// The file goes first: from then on nobody finds a socket that refuses.
	err := own.remove()
	err = errors.Join(err, l.file.Close())
	l.gate.forget()
	own.release()
	l.reserve.close()
	if l.lobby != nil {
		l.lobby.wait()
	}
	if err != nil {
		return opError("close", l.addr, err)
	}
	return nil
}

func (l *Listener) isClosed() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

// acceptAdmitted returns the next connection that passes the door.
func (l *Listener) acceptAdmitted(ctx context.Context) (*Conn, error) {
	for {
		fd, err := l.acceptAny(ctx)
		if err != nil {
			return nil, err
		}
		if c := l.admit(fd); c != nil {
			return c, nil
		}
	}
}

// admit takes over fd and returns it as a connection, or nil if it was refused.
func (l *Listener) admit(fd int) *Conn {
	if l.extras { // also those that waited in the backlog
		_ = sysNoExtras(fd)
	}
	c, err := newConn(fd, l.addr, &l.opts.Conn)
	if err != nil {
		l.refused(acl.Subject{UID: acl.NoID, GID: acl.NoID, Missing: acl.FieldID}, err)
		return nil
	}
	if err = l.rule.check(c.peer); err == nil {
		err = l.door.enter(c.peer.UID)
	}
	if err != nil {
		c.Close()
		l.refused(c.peer, err)
		return nil
	}
	c.onClose = func() { l.door.leave(c.peer.UID) }
	return c
}

func (l *Listener) refused(s acl.Subject, err error) {
	if l.opts.Refused != nil {
		l.opts.Refused(s, opError("accept", l.addr, err))
	}
}

// acceptAny returns the next connection's descriptor.
func (l *Listener) acceptAny(ctx context.Context) (int, error) {
	if err := l.acceptTurn.lock(ctx); err != nil {
		return -1, err
	}
	defer l.acceptTurn.unlock()
	defer l.gate.release()
	for {
		fd, err := l.acceptOne(ctx)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, syscall.ECONNABORTED): // it gave up before we came
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			if l.reserve.spend(l) {
				l.refused(acl.Subject{UID: acl.NoID, GID: acl.NoID, Missing: acl.FieldID}, err)
				continue
			}
			err = l.pause(ctx)
		case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
			err = l.pause(ctx)
		}
		if err != nil && !errors.Is(err, syscall.ECONNABORTED) {
			return -1, err
		}
	}
}

// acceptOne waits for a connection, or for the end of ctx.
func (l *Listener) acceptOne(ctx context.Context) (fd int, err error) {
	waiting := false
	for {
		var aerr error
		err := l.raw.Read(func(lfd uintptr) bool {
			fd, aerr = sysAccept(int(lfd))
			for aerr == syscall.EINTR {
				fd, aerr = sysAccept(int(lfd))
			}
			if aerr != syscall.EAGAIN {
				return true
			}
			if !waiting {
				waiting = true
				l.gate.watch(ctx, time.Time{})
			}
			return false
		})
		switch {
		case err == nil && aerr == nil:
			return fd, nil
		case l.isClosed():
			return -1, os.ErrClosed
		case err == nil:
			return -1, os.NewSyscallError("accept", aerr)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return -1, err
		}
		if err := ctx.Err(); err != nil {
			return -1, err
		}
		l.gate.watch(ctx, time.Time{}) // it was an earlier call's deadline
		waiting = true
	}
}

// acceptPause is how long accepting rests when the system is out of something.
const acceptPause = 10 * time.Millisecond

func (l *Listener) pause(ctx context.Context) error {
	t := time.NewTimer(acceptPause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-l.closing:
		return os.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reserve is a descriptor kept to be given up when there are no more: then a
// connection can be accepted and closed, instead of being left to wait.
type reserve struct {
	mu   sync.Mutex
	file *os.File
}

func (r *reserve) open() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.file, err = os.Open(os.DevNull)
	return err
}

// spend turns one connection away; false says that it could not.
func (r *reserve) spend(l *Listener) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.isClosed() {
		return false
	}
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
	turned := false
	_ = l.raw.Control(func(lfd uintptr) {
		if fd, err := sysAccept(int(lfd)); err == nil {
			sysClose(fd)
			turned = true
		}
	})
	f, err := os.Open(os.DevNull)
	if err != nil {
		return false
	}
	r.file = f
	return turned
}

func (r *reserve) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// door counts who is inside.
type door struct {
	mu             sync.Mutex
	max, maxPerUID int
	total          int
	byUID          map[uint32]int
}

// Why a listener at its limit turns a connection away, as
// ListenOptions.Refused is told.
var (
	ErrTooManyConns      = errors.New("too many connections")
	ErrTooManyHandshakes = errors.New("too many handshakes")
)

func (d *door) enter(uid uint32) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.total >= d.max {
		return fmt.Errorf("%w: limit %d", ErrTooManyConns, d.max)
	}
	if d.byUID[uid] >= d.maxPerUID {
		return fmt.Errorf("%w of user %d: limit %d", ErrTooManyConns, uid, d.maxPerUID)
	}
	d.total++
	d.byUID[uid]++
	return nil
}

func (d *door) leave(uid uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	if d.byUID[uid]--; d.byUID[uid] == 0 {
		delete(d.byUID, uid)
	}
}
