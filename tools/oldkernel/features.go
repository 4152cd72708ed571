//go:build linux && (amd64 || arm64)

package main

import "syscall"

// feature is what newer kernels have, and how older ones answer.
type feature struct {
	name, text string
	calls      []call
}

var features = []feature{
	{"ofd", "locks of open files: fcntl F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW (Linux 3.15)", []call{
		{syscall.SYS_FCNTL, []arg{{1, jumpEqual, []uint32{36, 37, 38}}}, syscall.EINVAL},
	}},
	{"waitv", "futex_waitv (Linux 5.16)", []call{
		{sysFutexWaitv, nil, syscall.ENOSYS},
	}},
	{"peerpid", "getsockopt SO_PEERPIDFD (Linux 6.5)", []call{
		{syscall.SYS_GETSOCKOPT, []arg{{1, jumpEqual, []uint32{syscall.SOL_SOCKET}}, {2, jumpEqual, []uint32{soPeerPidfd}}}, syscall.ENOPROTOOPT},
	}},
	{"pidfd", "pidfd_open, pidfd_send_signal (Linux 5.3)", []call{
		{sysPidfdOpen, nil, syscall.ENOSYS},
		{sysPidfdSendSignal, nil, syscall.ENOSYS},
	}},
	{"tmpfile", "open O_TMPFILE (Linux 3.11, and not every file system)", []call{
		{syscall.SYS_OPENAT, []arg{{2, jumpSet, []uint32{oTmpfile}}}, syscall.EOPNOTSUPP},
	}},
	{"noexec", "memfd_create MFD_NOEXEC_SEAL (Linux 6.3)", []call{
		{sysMemfdCreate, []arg{{1, jumpSet, []uint32{mfdNoexecSeal}}}, syscall.EINVAL},
	}},
}

// The numbers of asm-generic/unistd.h and uapi/linux that package syscall does
// not have. Those above 423 are the same on every CPU.
const (
	sysPidfdSendSignal = 424
	sysPidfdOpen       = 434
	sysFutexWaitv      = 449

	soPeerPidfd   = 77         // asm-generic/socket.h
	oTmpfile      = 0o20000000 // __O_TMPFILE, asm-generic/fcntl.h, without the O_DIRECTORY in O_TMPFILE
	mfdNoexecSeal = 0x8        // linux/memfd.h
)
