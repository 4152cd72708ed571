package shm_test

import (
	"fmt"
	"os"
	"strings"
)

// stopped reports whether the process is in state T: proc_pid_stat(5).
func stopped(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "T")
}
