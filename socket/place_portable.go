//go:build unix && (!linux || ipcportable)

package socket

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	openDir = unix.O_RDONLY

	// refusedIsDead: here a full backlog is ECONNREFUSED too.
	refusedIsDead = false
)

func changed(st *unix.Stat_t) time.Time { return time.Unix(st.Ctim.Unix()) }

// bind binds fd to the place. Its mode follows in permit; until listen it
// refuses everyone.
func (p *place) bind(fd int, _ uint32) error {
	if len(p.path) > maxSunPath {
		return fmt.Errorf("%d bytes, limit %d: %w", len(p.path), maxSunPath, ErrPathTooLong)
	}
	return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: p.path}))
}

// permit gives the socket file its group and mode.
func (p *place) permit(_ *unix.Stat_t, mode uint32, gid int) error {
	if gid >= 0 {
		if err := unix.Fchownat(p.dir, p.name, -1, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return os.NewSyscallError("fchownat", err)
		}
	}
	return os.NewSyscallError("fchmodat", unix.Fchmodat(p.dir, p.name, mode, unix.AT_SYMLINK_NOFOLLOW))
}

func (p *place) connect(fd int) error { return sysConnectPath(fd, p.path) }

// sysConnectPath connects fd to path. It returns a bare errno, or
// ErrPathTooLong.
func sysConnectPath(fd int, path string) error {
	if len(path) > maxSunPath {
		return fmt.Errorf("%d bytes, limit %d: %w", len(path), maxSunPath, ErrPathTooLong)
	}
	return sysConnect(fd, path)
}

func listenAbstract(string, int) (int, error) { return -1, errors.ErrUnsupported }
