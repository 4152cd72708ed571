//go:build unix

package pipe

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// control runs f with the descriptor, which stays open meanwhile.
func (d *desc) control(f func(fd int)) error {
	raw, err := d.file.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
	if err != nil && d.closed.Load() {
		err = os.ErrClosed
	}
	return err
}

// resize returns the capacity, after changing it unless n is 0.
func (d *desc) resize(n int) (got int, err error) {
	cerr := d.control(func(fd int) {
		if n != 0 {
			if got, err = setCapacity(fd, n); err != nil {
				return
			}
		}
		got, err = capacity(fd)
	})
	if cerr != nil {
		return 0, cerr
	}
	return got, err
}

// growFull is grow in the middle of a long transfer that has found the pipe full: of
// several that fit one after the other. It reports whether there is more room now.
func (d *desc) growFull(fd int) bool {
	if len(d.buf)+len(d.tail) < longMessage || d.sized.Swap(true) {
		return false
	}
	has, err := capacity(fd)
	if err != nil || has != usual {
		return false
	}
	got, err := setCapacity(fd, roomy)
	return err == nil && got > has
}

// detach returns the descriptor as a blocking file of its own and closes d.
// Precondition: the owner is locked.
func (d *desc) detach() (*os.File, error) {
	var fd int
	var err error
	cerr := d.control(func(own int) {
		if fd, err = unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			err = os.NewSyscallError("fcntl", err)
			return
		}
		if err = unix.SetNonblock(fd, false); err != nil {
			_ = unix.Close(fd)
			err = os.NewSyscallError("fcntl", err)
		}
	})
	if cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), d.file.Name())
	_, _ = d.halt()
	return f, d.file.Close()
}

// adopt returns a non-blocking, close-on-exec file of its own for the pipe that
// f is open on. f stays open.
func adopt(f *os.File, access int, m mode) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var own int
	cerr := raw.Control(func(fd uintptr) { own, err = adoptFD(int(fd), access, m) })
	if cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, err
	}
	return nonblock(own, f.Name())
}

func adoptFD(fd, access int, m mode) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return -1, fmt.Errorf("%w and no pipe", ErrNotFIFO)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	if got := flags & unix.O_ACCMODE; got != access && got != unix.O_RDWR {
		return -1, fmt.Errorf("it is the other end of the pipe: %w", unix.EBADF)
	}
	if access == os.O_WRONLY && isPacket(flags) != (m == packet) {
		return -1, fmt.Errorf("it keeps packets apart, or should and doesn't: %w", unix.EINVAL)
	}
	if own, err := reopen(fd, flags&^unix.O_ACCMODE|access); err == nil {
		return own, nil
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	return own, os.NewSyscallError("fcntl", err)
}

// packetsHere returns how NewPacket keeps packets apart on this machine.
func packetsHere() (mode, error) {
	m, fds, err := openPipe(packetMode)
	if err == nil {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	}
	return m, err
}

// openPipeFiles makes a pipe, non-blocking and close-on-exec: its read end and
// its write end.
func openPipeFiles(m mode) (mode, [2]*os.File, error) {
	m, fds, err := openPipe(m)
	if err != nil {
		return m, [2]*os.File{}, err
	}
	return m, [2]*os.File{os.NewFile(uintptr(fds[0]), "|0"), os.NewFile(uintptr(fds[1]), "|1")}, nil
}
