package acl

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// processStart returns the start time of the process that has pid now, and
// whether it still runs (a zombie doesn't). A pid that nobody has is
// os.ErrProcessDone.
//
// Source: proc(5), /proc/pid/stat: "pid (comm) state ppid …", where comm may
// hold blanks and parentheses; the state is field 3, the start time field 22.
func processStart(pid int32) (start uint64, running bool, err error) {
	var buf [1024]byte // some 50 numbers; the kernel cuts comm to 64 bytes
	text, err := readProc("/proc/"+strconv.Itoa(int(pid))+"/stat", buf[:])
	switch err {
	case nil:
	case unix.ENOENT, unix.ESRCH: // ESRCH: it ended between open and read
		return 0, false, os.ErrProcessDone
	default:
		return 0, false, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	text = text[bytes.LastIndexByte(text, ')')+1:]
	var state, ticks []byte
	for field := 3; field <= 22; field++ {
		text = bytes.TrimLeft(text, " ")
		end := bytes.IndexByte(text, ' ')
		if end < 0 {
			return 0, false, fmt.Errorf("/proc/%d/stat: only %d fields", pid, field)
		}
		switch field {
		case 3:
			state = text[:end]
		case 22:
			ticks = text[:end]
		}
		text = text[end:]
	}
	start, err = strconv.ParseUint(string(ticks), 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("/proc/%d/stat: start time: %w", pid, err)
	}
	return start, state[0] != 'Z' && state[0] != 'X', nil
}

// readProc reads a small file of /proc, which one read returns whole.
func readProc(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		return buf[:max(n, 0)], err
	}
}
