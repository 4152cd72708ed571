//go:build unix

package pipe

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ipcctl/ipc/socket"
)

// takeSocket takes over fd if it is the socket with that inode; 0 is any. A
// descriptor that is not what the environment says belongs to somebody else in
// this process and is left alone.
func takeSocket(fd int, inode uint64) (*socket.Conn, error) {
	var st unix.Stat_t
	switch err := unix.Fstat(fd, &st); {
	case err != nil:
		return nil, fmt.Errorf("the descriptor is gone: %w: %w", ErrNoParent, os.NewSyscallError("fstat", err))
	case uint32(st.Mode)&unix.S_IFMT != unix.S_IFSOCK:
		return nil, fmt.Errorf("the descriptor is %s and no socket: %w", typeName(uint32(st.Mode)), ErrNoParent)
	case inode != 0 && inode != uint64(st.Ino):
		return nil, fmt.Errorf("the descriptor is another socket than the parent's: %w", ErrNoParent)
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "parent")
	defer f.Close() // the connection has a duplicate
	return socket.FromFile(f)
}

// socketID returns the inode of the socket that f is.
func socketID(f *os.File) (uint64, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var st unix.Stat_t
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = unix.Fstat(int(fd), &st) }); err != nil {
		return 0, err
	}
	return uint64(st.Ino), os.NewSyscallError("fstat", serr)
}
