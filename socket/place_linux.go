//go:build !ipcportable

package socket

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	openDir = unix.O_PATH

	// refusedIsDead: a full backlog is EAGAIN, so ECONNREFUSED means that
	// nobody listens.
	refusedIsDead = true
)

func changed(st *unix.Stat_t) time.Time { return time.Unix(st.Ctim.Unix()) }

// descriptorPath names a file of the directory, or "" for the directory
// itself, in few bytes.
func descriptorPath(fd int, name string) string {
	path := fmt.Sprintf("/proc/self/fd/%d", fd)
	if name != "" {
		path += "/" + name
	}
	return path
}

// bind binds fd to the place with mode, less the umask. A path that the
// address can't hold is reached by way of the directory's descriptor, a name
// that is too long even then by a short one and rename.
func (p *place) bind(fd int, mode uint32) error {
	// The inode takes its mode from the socket's, net/unix/af_unix.c.
	if err := unix.Fchmod(fd, mode); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	path, rename := p.path, ""
	if len(path) > maxSunPath {
		path = descriptorPath(p.dir, p.name)
	}
	if len(path) > maxSunPath {
		rename = p.short()
		path = descriptorPath(p.dir, rename)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return p.longPath(path, os.NewSyscallError("bind", err))
	}
	if rename == "" {
		return nil
	}
	err := unix.Renameat2(p.dir, rename, p.dir, p.name, unix.RENAME_NOREPLACE)
	if err == unix.EEXIST {
		err = unix.EADDRINUSE
	}
	if err != nil {
		_ = unix.Unlinkat(p.dir, rename, 0)
		return os.NewSyscallError("renameat2", err)
	}
	return nil
}

// longPath explains why a path that went through /proc was not found.
func (p *place) longPath(used string, err error) error {
	if used == p.path {
		return err
	}
	if !hasProc() {
		return needsProc(p.path)
	}
	return err
}

func hasProc() bool {
	_, err := os.Stat("/proc/self/fd")
	return err == nil
}

func needsProc(path string) error {
	return fmt.Errorf("%d bytes, limit %d without /proc: %w", len(path), maxSunPath, ErrPathTooLong)
}

// permit gives the socket file its group and what the umask took from its
// mode. It works on the inode that st describes and on no other.
func (p *place) permit(st *unix.Stat_t, mode uint32, gid int) error {
	if gid < 0 && uint32(st.Mode)&0o777 == mode {
		return nil
	}
	fd, err := unix.Openat(p.dir, p.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("openat", err)
	}
	defer unix.Close(fd)
	var now unix.Stat_t
	if err := unix.Fstat(fd, &now); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if inodeOf(&now) != inodeOf(st) {
		return fmt.Errorf("another program replaced it meanwhile: %w", unix.EADDRINUSE)
	}
	if gid >= 0 {
		if err := unix.Fchownat(fd, "", -1, gid, unix.AT_EMPTY_PATH); err != nil {
			return os.NewSyscallError("fchownat", err)
		}
	}
	if err := unix.Chmod(descriptorPath(fd, ""), mode); err != nil {
		return os.NewSyscallError("chmod", err)
	}
	return nil
}

// connect connects fd to the socket at the place. Where nobody answers at the
// path, that may lead elsewhere by now, so the inode itself is asked too. It
// returns a bare errno.
func (p *place) connect(fd int) error {
	if len(p.path) > maxSunPath {
		return connectLong(fd, p.dir, p.name)
	}
	err := sysConnect(fd, p.path)
	if err == unix.ECONNREFUSED || err == unix.ENOENT {
		if lerr := connectLong(fd, p.dir, p.name); lerr != unix.ENOENT { // as without /proc
			return lerr
		}
	}
	return err
}

// sysConnectPath connects fd to path, whatever its length. It returns a bare
// errno, or ErrPathTooLong.
func sysConnectPath(fd int, path string) error {
	if len(path) <= maxSunPath {
		return sysConnect(fd, path)
	}
	err := connectLong(fd, unix.AT_FDCWD, path)
	if err == unix.ENOENT && !hasProc() {
		return needsProc(path)
	}
	return err
}

// connectLong reaches the socket by way of its own inode, to which connect
// follows the link in /proc.
func connectLong(fd, dir int, name string) error {
	at, err := unix.Openat(dir, name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	return sysConnect(fd, descriptorPath(at, ""))
}

// listenAbstract makes a socket with a name in the abstract namespace, which
// has no file: the name is free once its socket is closed.
func listenAbstract(addr string, backlog int) (int, error) {
	fd, err := sysSocket()
	if err != nil {
		return -1, err
	}
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: addr}); err != nil {
		err = os.NewSyscallError("bind", err)
	} else if err = unix.Listen(fd, backlog); err != nil {
		err = os.NewSyscallError("listen", err)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
