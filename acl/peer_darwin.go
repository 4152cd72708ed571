package acl

import (
	"os"

	"golang.org/x/sys/unix"
)

// maxXucredGroups is the room for groups in a struct xucred, the first of
// which is the effective gid. A process may have more: then some are missing.
const maxXucredGroups = 16

func peerSubject(fd int) (Subject, error) {
	s, err := peerIDs(fd)
	if err != nil {
		return s, err
	}
	if s.PID <= 0 {
		s.PID = 0
		s.Missing |= FieldPID | FieldStartTime | FieldPin
		return s, nil
	}
	peerStart(fd, &s)
	return s, nil
}

func peerIDs(fd int) (Subject, error) {
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == unix.ENOTSOCK || listens != 0 {
		return Subject{}, errNotUnix
	}
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	switch err {
	case nil:
	case unix.ENOTCONN, unix.EINVAL, unix.ENOPROTOOPT, unix.ENOTSOCK:
		return Subject{}, errNotUnix
	default:
		return Subject{}, os.NewSyscallError("getsockopt LOCAL_PEERCRED", err)
	}
	if cred.Uid == NoID || cred.Ngroups < 1 || cred.Ngroups > maxXucredGroups {
		return Subject{}, errNotUnix
	}
	s := Subject{UID: cred.Uid, GID: cred.Groups[0]}
	s.Groups = append(s.Groups, cred.Groups[1:cred.Ngroups]...)
	if cred.Ngroups == maxXucredGroups {
		s.Missing |= FieldGroups
	}
	s.PID = peerPID(fd, s.UID)
	return s, nil
}

// peerPID returns the pid of the process that last used the other end, or 0
// if it is unknown or has come to run as another user than the one that
// connected.
func peerPID(fd int, uid uint32) int32 {
	// The audit token tells pid and user of one process at one moment. It is
	// eight uint32 (bsm/audit.h), read by way of the one option of x/sys that
	// has this very shape; fields 1 and 5 are the effective uid and the pid.
	token, err := unix.GetsockoptICMPv6Filter(fd, unix.SOL_LOCAL, unix.LOCAL_PEERTOKEN)
	if err == nil {
		if token.Filt[1] != uid {
			return 0
		}
		return int32(token.Filt[5])
	}
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return 0
	}
	return int32(pid)
}
