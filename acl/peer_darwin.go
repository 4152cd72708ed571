package acl

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// maxXucredGroups is the room for groups in a struct xucred, the first of
// which is the effective gid. A process may have more: then some are missing.
// Source: XNU bsd/sys/ucred.h, cr_groups[NGROUPS]; bsd/sys/syslimits.h.
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

// peerIDs: the credentials were copied when the peer called connect or listen,
// and stay after it has gone (unp_peercred of XNU bsd/kern/uipc_usrreq.c, which
// answers ENOTCONN or EINVAL where there never was a peer).
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

// auditToken is an audit_token_t: eight uint32. Source: XNU
// bsd/kern/kern_prot.c, set_security_token_task_internal, which fills it in.
type auditToken [8]uint32

const (
	tokenUID     = 1 // effective
	tokenPID     = 5
	tokenVersion = 7 // p_idversion: another one for every fork, and for every exec
)

// peerToken returns the token of the process that has the pid of the peer's
// last user now (XNU bsd/kern/uipc_usrreq.c, uipc_ctloutput: proc_find of
// last_pid). EINVAL if there is none, ENOTCONN once the peer has closed.
//
// x/sys has no raw getsockopt here. ICMP6_FILTER is the one option of it whose
// value has the same shape, and the option is a parameter.
func peerToken(fd int) (auditToken, error) {
	value, err := unix.GetsockoptICMPv6Filter(fd, unix.SOL_LOCAL, unix.LOCAL_PEERTOKEN)
	if err != nil {
		return auditToken{}, os.NewSyscallError("getsockopt LOCAL_PEERTOKEN", err)
	}
	return auditToken(value.Filt), nil
}

// peerPID returns the pid of the process that last used the other end, or 0
// if it is unknown or has come to run as another user than the one that
// connected.
func peerPID(fd int, uid uint32) int32 {
	if token, err := peerToken(fd); err == nil {
		if token[tokenUID] != uid {
			return 0
		}
		return int32(token[tokenPID])
	}
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return 0
	}
	return int32(pid)
}

// peerSighting sees the process that has the pid of fd's peer now.
func peerSighting(fd int, uid uint32) (sighting, error) {
	token, err := peerToken(fd)
	if err != nil || token[tokenUID] != uid {
		return sighting{}, errors.Join(os.ErrProcessDone, err)
	}
	return sighting{int32(token[tokenPID]), uint64(token[tokenVersion])}, nil
}
