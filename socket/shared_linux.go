//go:build !ipcportable

package socket

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// sysMakeShared makes the memory of two rings of size bytes, for the side that writes to
// the first, and returns what the other side gets: a memfd whose size cannot change any
// more (memfd_create(2)), and its end of the bells.
func sysMakeShared(size int, addr string) (*shared, []*os.File, error) {
	memory, mem, err := makeMemory(sharedHead + 2*size)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs, err := sysPair()
	if err == nil {
		var bells *descriptor
		if bells, err = newDescriptor(ours, addr); err == nil {
			sysPassRights(ours, false)
			s := useRings(mem, size, 0, bells)
			s.in.reader.Store(asleep) // on the socket, where its bell rings too
			return s, []*os.File{memory, os.NewFile(uintptr(theirs), addr)}, nil
		}
		sysClose(theirs)
	}
	memory.Close()
	sysUnmap(mem)
	return nil, nil, err
}

const memoryName = "ipc-socket"

func makeMemory(n int) (f *os.File, mem []byte, err error) {
	fd, err := unix.MemfdCreate(memoryName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before 6.3
		fd, err = unix.MemfdCreate(memoryName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, nil, os.NewSyscallError("memfd_create", err)
	}
	f = os.NewFile(uintptr(fd), memoryName)
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	_, err = retry(func() (int, error) { return 0, unix.Fallocate(fd, 0, 0, int64(n)) })
	if err != nil {
		return nil, nil, os.NewSyscallError("fallocate", err)
	}
	if _, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return nil, nil, os.NewSyscallError("fcntl F_ADD_SEALS", err)
	}
	mem, err = mapMemory(fd, n)
	return f, mem, err
}

func mapMemory(fd, n int) ([]byte, error) {
	mem, err := unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return mem, os.NewSyscallError("mmap", err)
}

// sysMapShared maps memory that the peer has made, if it is what sysMakeShared makes, for
// the side that writes to the second ring.
func sysMapShared(memory, bells *os.File, size int, addr string) (*shared, error) {
	var s *shared
	err := withDescriptors([]*os.File{memory, bells}, nil, func(fds []int) error {
		if err := checkMemory(fds[0], sharedHead+2*size); err != nil {
			return err
		}
		if err := checkBells(fds[1]); err != nil {
			return err
		}
		dup, err := sysDupSocket(fds[1])
		if err != nil {
			return err
		}
		d, err := newDescriptor(dup, addr)
		if err != nil {
			return err
		}
		mem, err := mapMemory(fds[0], sharedHead+2*size)
		if err != nil {
			d.close()
			return err
		}
		s = useRings(mem, size, 1, d)
		return nil
	})
	return s, err
}

// checkMemory makes sure that fd is memory of n bytes that cannot be taken away: a memfd,
// the only file that can have seals, and not of huge pages, which may be lacking.
func checkMemory(fd, n int) error {
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return fmt.Errorf("no memfd: %w", os.NewSyscallError("fcntl F_GET_SEALS", err))
	}
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if _, err := retry(func() (int, error) { return 0, unix.Fstatfs(fd, &fs) }); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	magic := uint32(fs.Type) // a signed word of 32 or 64 bits
	if seals&unix.F_SEAL_SHRINK == 0 || st.Size != int64(n) || magic != unix.TMPFS_MAGIC {
		return fmt.Errorf("memory of %d bytes, seals %#x, file system %#x; want %d, %#x, %#x: %w",
			st.Size, seals, magic, n, unix.F_SEAL_SHRINK, unix.TMPFS_MAGIC, os.ErrInvalid)
	}
	return nil
}

// checkBells makes sure that fd, which the peer has made, is a stream that keeps nothing
// alive that shall end with the peer. It is not the other end of a connection to a listener,
// which has a name, and there is none in its queue. Later ones the kernel refuses, from 6.16 on.
func checkBells(fd int) error {
	if err := checkStream(fd); err != nil {
		return err
	}
	to, err := unix.Getpeername(fd)
	if err != nil {
		return fmt.Errorf("bells: %w", os.NewSyscallError("getpeername", err))
	}
	if a, ok := to.(*unix.SockaddrUnix); !ok || strings.TrimPrefix(a.Name, "@") != "" { // x/sys says "@" where there is none
		return fmt.Errorf("bells that are a connection: %w", os.ErrInvalid)
	}
	sysPassRights(fd, false)
	var b [1]byte
	if n, _, _ := sysRecv(fd, b[:], nil); n > 0 {
		return fmt.Errorf("bells that have rung before the time: %w", os.ErrInvalid)
	}
	return nil
}

func sysUnmap(mem []byte) { _ = unix.Munmap(mem) }

// sysHungUp reports whether the other end of a socket is closed, not only for writing.
func sysHungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	_, err := retry(func() (int, error) { return unix.Poll(fds, 0) })
	return err == nil && fds[0].Revents&unix.POLLHUP != 0
}
