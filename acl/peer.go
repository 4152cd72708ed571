package acl

import (
	"fmt"
	"os"
	"syscall"
)

// PeerOf returns the identity of the process at the other end of c, a
// connected Unix stream or seqpacket socket: a *net.UnixConn, or anything else
// that gives access to its descriptor.
//
// The ids are those that the peer had when it called connect, listen or
// socketpair; later changes don't show. On Linux the process is pinned by
// SO_PEERPIDFD (Linux 6.5) while its start time is read, so that PID and
// StartTime can't be those of a later process; older kernels, and macOS, can't
// prove it and the Subject misses [FieldPin]. A peer that has ended is not an
// error: its ids are known, its StartTime may be missing.
//
// Errors wrap os.ErrInvalid (not a connected Unix socket), os.ErrClosed or
// errors.ErrUnsupported (this system can't tell). The Subject beside an error
// is denied everything.
//
// Sources: unix(7), SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD; macOS
// sys/un.h, LOCAL_PEERCRED, LOCAL_PEERPID, LOCAL_PEERTOKEN.
func PeerOf(c syscall.Conn) (Subject, error) {
	s := unknownSubject()
	err := control(c, func(fd int) (err error) {
		s, err = peerSubject(fd)
		return err
	})
	if err != nil {
		return unknownSubject(), fmt.Errorf("acl: peer of %T: %w", c, err)
	}
	return s, nil
}

// ProcessOf pins the process at the other end of c, so that its end can be
// noticed, whatever becomes of its pid. The caller closes the Process; c may
// be closed before that.
//
// On Linux 6.5 and later the kernel hands out the very process that is the
// peer (SO_PEERPIDFD). Elsewhere the process is found by its pid: call
// ProcessOf right after accepting c, and compare [Process.StartTime] with that
// of the Subject.
//
// Errors are those of [PeerOf], and os.ErrProcessDone if the process has
// already ended and can't be pinned.
func ProcessOf(c syscall.Conn) (*Process, error) {
	var p *Process
	err := control(c, func(fd int) (err error) {
		p, err = peerProcess(fd)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("acl: process of %T: %w", c, err)
	}
	return p, nil
}

var errNotUnix = fmt.Errorf("not a connected Unix stream or seqpacket socket: %w", os.ErrInvalid)

// control runs f on c's descriptor, which stays open meanwhile.
func control(c syscall.Conn, f func(fd int) error) error {
	if c == nil {
		return errNotUnix
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return fmt.Errorf("%w: %w", os.ErrClosed, err) // Control fails for nothing else
	}
	return ferr
}
