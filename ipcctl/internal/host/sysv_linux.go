package host

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// shmDest is SHM_DEST of the kernel, shown among the permissions.
const shmDest = 0o1000

// sysvIDs names each table's column of IDs.
var sysvIDs = map[string]string{"shm": "shmid", "sem": "semid", "msg": "msqid"}

// SysVObjects reads the kernel's tables of System V IPC, proc_sysvipc(5).
// A kernel without System V IPC has none.
func SysVObjects() ([]SysV, error) {
	var out []SysV
	for kind := range sysvIDs {
		text, err := os.ReadFile("/proc/sysvipc/" + kind)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, parseSysV(kind, string(text))...)
	}
	return out, nil
}

// parseSysV reads a table whose first line names its columns: kernels differ
// in their number and width.
func parseSysV(kind, text string) []SysV {
	lines := strings.Split(text, "\n")
	column := map[string]int{}
	for i, name := range strings.Fields(lines[0]) {
		column[name] = i
	}
	var out []SysV
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		broken := false
		number := func(name string, base int) int64 {
			i, known := column[name]
			if !known || i >= len(fields) {
				broken = true
				return 0
			}
			n, err := strconv.ParseInt(fields[i], base, 64)
			broken = broken || err != nil
			return n
		}
		perms := number("perms", 8)
		o := SysV{
			Kind: kind, ID: int(number(sysvIDs[kind], 10)), Key: uint32(number("key", 10)),
			Mode: uint32(perms & 0o777), UID: uint32(number("uid", 10)),
		}
		switch kind {
		case "shm":
			o.Size, o.Count, o.Doomed = number("size", 10), int(number("nattch", 10)), perms&shmDest != 0
			o.Creator, o.LastPIDs = int(number("cpid", 10)), []int{int(number("lpid", 10))}
		case "sem":
			o.Count = int(number("nsems", 10))
		case "msg":
			o.Size, o.Count = number("cbytes", 10), int(number("qnum", 10))
			o.LastPIDs = []int{int(number("lspid", 10)), int(number("lrpid", 10))}
		}
		if !broken {
			out = append(out, o)
		}
	}
	return out
}
