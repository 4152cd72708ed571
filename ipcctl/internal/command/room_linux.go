package command

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// shmRoom returns how much can be reserved in /dev/shm: what its own limit
// leaves, but no more than nine tenths of the memory that is available.
func shmRoom() (int64, bool) {
	var st unix.Statfs_t
	if unix.Statfs(shmFolder, &st) != nil || st.Blocks == 0 {
		return 0, false
	}
	room := int64(st.Bavail) * int64(st.Bsize)
	if available, ok := memAvailable(); ok {
		room = min(room, available/10*9)
	}
	return room, true
}

// memAvailable reads what the kernel estimates can be had without swapping,
// proc_meminfo(5).
func memAvailable() (int64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for _, line := range bytes.Split(text, []byte("\n")) {
		f := bytes.Fields(line)
		if len(f) >= 2 && string(f[0]) == "MemAvailable:" {
			kib, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kib << 10, err == nil
		}
	}
	return 0, false
}
