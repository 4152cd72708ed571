package host

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Numbers of futex(2): the call with 64-bit times, on 32-bit systems, and the
// operations that wait, in the bits of the mask.
const (
	futexTime64     = 422
	futexWait       = 0
	futexWaitBitset = 9
	futexMask       = 0x7f
)

// Sleepers returns those among the processes that sleep on a word of the file,
// each once for a word, and how many the caller may not look into: that takes the
// right to trace them, ptrace(2).
func Sleepers(file FileID, pids []int) (found []Sleeper, hidden int) {
	s := scanner{buf: make([]byte, 64<<10)}
	for _, pid := range pids {
		areas, err := s.areas(pid, file)
		if err == nil && len(areas) > 0 {
			var words []uint64
			if words, err = asleepOn(pid); err == nil {
				found = append(found, sleepers(pid, words, areas)...)
			}
		}
		if os.IsPermission(err) {
			hidden++
		}
	}
	return found, hidden
}

// Maps says whether the process has the file in its memory, if it may be looked into.
func Maps(pid int, file FileID) (bool, error) {
	s := scanner{buf: make([]byte, 64<<10)}
	areas, err := s.areas(pid, file)
	return len(areas) > 0, err
}

func sleepers(pid int, words []uint64, areas []area) (found []Sleeper) {
	for _, w := range words {
		for _, a := range areas {
			if w < a.from || w >= a.to {
				continue
			}
			one := Sleeper{describe(pid), w - a.from + a.offset}
			if one.Command != "" && !slices.Contains(found, one) {
				found = append(found, one)
			}
		}
	}
	return found
}

// area is where a process has a part of a file in its memory.
type area struct{ from, to, offset uint64 }

// areas lists where a process has the file, from lines as scanner.maps reads them.
func (s *scanner) areas(pid int, file FileID) (out []area, err error) {
	text, err := s.read("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) < 5 {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		major, minor, _ := strings.Cut(f[3], ":")
		n, ok := numbers(16, from, to, f[2], major, minor)
		inode, ok2 := numbers(10, f[4])
		if ok && ok2 && (FileID{unix.Mkdev(uint32(n[3]), uint32(n[4])), inode[0]}) == file {
			out = append(out, area{n[0], n[1], n[2]})
		}
	}
	return out, nil
}

func numbers(base int, texts ...string) (out []uint64, ok bool) {
	for _, t := range texts {
		n, err := strconv.ParseUint(strings.TrimPrefix(t, "0x"), base, 64)
		if err != nil {
			return nil, false
		}
		out = append(out, n)
	}
	return out, true
}

// asleepOn returns the addresses of the words that threads of the process sleep
// on, from proc_pid_syscall(5): the call's number and its arguments.
func asleepOn(pid int) (words []uint64, err error) {
	dir := "/proc/" + strconv.Itoa(pid)
	tasks, err := readDirNames(dir + "/task")
	if err != nil {
		return nil, err
	}
	for _, tid := range tasks {
		text, err := os.ReadFile(dir + "/task/" + tid + "/syscall")
		if os.IsPermission(err) {
			return nil, err
		}
		f := strings.Fields(string(text))
		if err != nil || len(f) < 3 { // it has ended, or runs
			continue
		}
		call, ok := numbers(10, f[0])
		args, ok2 := numbers(16, f[1:3]...)
		if !ok || !ok2 {
			continue
		}
		switch call[0] {
		case unix.SYS_FUTEX, futexTime64:
			if op := args[1] & futexMask; op == futexWait || op == futexWaitBitset {
				words = append(words, args[0])
			}
		case unix.SYS_FUTEX_WAITV:
			more, err := waitVector(pid, args[0], args[1])
			if err != nil {
				return nil, err
			}
			words = append(words, more...)
		}
	}
	return words, nil
}

// maxVector is the most words that the kernel lets a thread sleep on.
const maxVector = 128

// waitVector reads the addresses out of the array that futex_waitv(2) was given:
// each struct has a value, the address, and flags, in 24 bytes.
func waitVector(pid int, at, n uint64) (words []uint64, err error) {
	const size = 24
	mem, err := os.Open("/proc/" + strconv.Itoa(pid) + "/mem")
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	buf := make([]byte, size*min(n, maxVector))
	if _, err := mem.ReadAt(buf, int64(at)); err != nil {
		return nil, nil // it has woken up
	}
	for ; len(buf) >= size; buf = buf[size:] {
		words = append(words, binary.NativeEndian.Uint64(buf[8:]))
	}
	return words, nil
}
