package acl

import (
	"os"

	"golang.org/x/sys/unix"
)

// peerSubject tells who is at the other end of fd.
func peerSubject(fd int) (Subject, error) {
	s, err := peerIDs(fd)
	if err != nil {
		return s, err
	}
	s.Groups, err = peerGroups(fd)
	switch {
	case err == unix.ENOPROTOOPT: // before Linux 4.13
		s.Missing |= FieldGroups
	case err != nil:
		return s, os.NewSyscallError("getsockopt SO_PEERGROUPS", err)
	}
	if s.PID == 0 {
		s.Missing |= FieldPID | FieldStartTime | FieldPin
		return s, nil
	}
	peerStart(fd, &s)
	return s, nil
}

// peerIDs refuses what is no connected Unix socket: SO_PEERCRED answers for
// every socket, with id -1 for one that has no peer, and with ourselves for a
// listener.
func peerIDs(fd int) (Subject, error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err == unix.ENOTSOCK || err == nil && domain != unix.AF_UNIX {
		return Subject{}, errNotUnix
	}
	if err != nil {
		return Subject{}, os.NewSyscallError("getsockopt SO_DOMAIN", err)
	}
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return Subject{}, os.NewSyscallError("getsockopt SO_ACCEPTCONN", err)
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Subject{}, os.NewSyscallError("getsockopt SO_PEERCRED", err)
	}
	if listens != 0 || cred.Uid == NoID {
		return Subject{}, errNotUnix
	}
	return Subject{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}, nil
}
