package acl

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// processStart returns the start time of the process that has pid now, and
// whether it still runs (a zombie doesn't). A pid that nobody has is
// os.ErrProcessDone.
//
// Source: proc(5), /proc/pid/stat: "pid (comm) state ppid …", where comm may
// hold blanks and parentheses; the state is field 3, the start time field 22.
func processStart(pid int32) (start uint64, running bool, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(int(pid)) + "/stat")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoProcess) {
		return 0, false, os.ErrProcessDone
	}
	if err != nil {
		return 0, false, err
	}
	const state, starttime = 0, 19 // fields 3 and 22, counted from behind comm
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= starttime {
		return 0, false, fmt.Errorf("/proc/%d/stat: %d fields behind the name", pid, len(fields))
	}
	start, err = strconv.ParseUint(string(fields[starttime]), 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("/proc/%d/stat: start time: %w", pid, err)
	}
	s := fields[state][0]
	return start, s != 'Z' && s != 'X', nil
}
