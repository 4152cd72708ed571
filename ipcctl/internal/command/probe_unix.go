//go:build unix

package command

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// probe connects to a stream socket without waiting, and hangs up.
func probe(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if err == unix.EAGAIN { // its backlog is full: somebody is there
		return nil
	}
	return err
}

// ownerOf returns the owner of a file.
func ownerOf(info fs.FileInfo) (uint32, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
