package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// setPipeSize gives a pipe room for n bytes.
func setPipeSize(f *os.File, n int) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if e := c.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, n) }); e != nil {
		return e
	}
	return os.NewSyscallError("fcntl", err)
}
