package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/ipcctl/ipc/acl"
)

// DialOptions are what Dial can be told. The zero value, and nil, mean the
// defaults.
type DialOptions struct {
	// Wait keeps trying, until the context ends, while there is no socket or
	// nobody listens on it.
	Wait bool

	// Policy decides whether the process that listens may be the server: may
	// it "create" "socket:" + the absolute path (or "socket:@name")? Nil
	// trusts whoever could make the socket; for an abstract name, which
	// anybody can take, root and the own user.
	Policy Policy

	// Allow decides as well, if there is one: it trusts the server by returning
	// nil. Other errors are made to wrap os.ErrPermission.
	Allow func(acl.Subject) error

	// AuthKey proves to the server that we know the key, and demands the same
	// of it. Set it if and only if the server has one.
	AuthKey []byte

	// AllowMD5 uses the digest of Python up to 3.11, HMAC-MD5, with a server
	// that asks for it.
	AllowMD5 bool

	// HandshakeTimeout limits the proof. Zero means DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// Conn are the options of the connection.
	Conn ConnOptions
}

// Dial retries what may pass after pauses from dialPauseMin to dialPauseMax.
const (
	dialPauseMin = time.Millisecond
	dialPauseMax = 50 * time.Millisecond
)

// Dial connects to the socket at addr, a path or on Linux "@name".
//
// While the server's backlog is full, Dial waits. Errors wrap os.ErrNotExist
// (no such path), ENOTSOCK (another kind of file), ECONNREFUSED (nobody
// listens), os.ErrPermission (the file's mode, Policy or Allow), ErrAuth,
// ErrPathTooLong, ctx.Err(). A server that turns us away closes the connection:
// Dial says ErrPeerClosed where it has something to send by then, the key's proof
// or the offer of ConnOptions.SharedBuffer, and else the first Send or Recv.
func Dial(ctx context.Context, addr string, o *DialOptions) (*Conn, error) {
	if o == nil {
		o = &DialOptions{}
	}
	c, err := dial(ctx, addr, o)
	if err != nil {
		return nil, opError("dial", addr, err)
	}
	return c, nil
}

func dial(ctx context.Context, addr string, o *DialOptions) (*Conn, error) {
	if err := checkAddr(addr); err != nil {
		return nil, err
	}
	fd, err := connect(ctx, addr, o.Wait)
	if err != nil {
		return nil, err
	}
	c, err := newConn(fd, addr, &o.Conn)
	if err != nil {
		return nil, err
	}
	r := newRule(addr, "create", o.Policy, o.Allow)
	if err = r.check(c.peer); err == nil && c.opts.SharedBuffer > 0 {
		if err = c.share(ctx); errors.Is(err, errors.ErrUnsupported) {
			err = nil
		}
	}
	if err == nil && len(o.AuthKey) > 0 {
		limit := o.HandshakeTimeout
		if limit <= 0 {
			limit = DefaultHandshakeTimeout
		}
		err = c.authenticate(ctx, limit, proof{key: o.AuthKey, md5: o.AllowMD5}.asClient)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// connect returns a connected socket. It retries what may pass until ctx ends.
func connect(ctx context.Context, addr string, wait bool) (int, error) {
	for pause := dialPauseMin; ; pause = min(2*pause, dialPauseMax) {
		if err := ctx.Err(); err != nil {
			return -1, err
		}
		fd, err := connectOnce(addr)
		if err == nil {
			return fd, nil
		}
		full := errors.Is(err, syscall.EAGAIN)
		absent := errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
		if !full && !(wait && absent) {
			return -1, err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return -1, fmt.Errorf("%w, after: %w", ctx.Err(), err)
		}
	}
}

func connectOnce(addr string) (int, error) {
	fd, err := sysSocket()
	if err != nil {
		return -1, err
	}
	if isAbstract(addr) {
		err = sysConnect(fd, addr)
	} else {
		err = sysConnectPath(fd, addr)
	}
	if err == nil {
		return fd, nil
	}
	sysClose(fd)
	if st, serr := os.Stat(addr); err == syscall.ECONNREFUSED && serr == nil && st.Mode()&os.ModeSocket == 0 && !isAbstract(addr) {
		// The kernel's refusal would send the reader looking for a server.
		return -1, fmt.Errorf("it is no socket but %v: %w", st.Mode(), syscall.ENOTSOCK)
	}
	return -1, os.NewSyscallError("connect", err)
}
