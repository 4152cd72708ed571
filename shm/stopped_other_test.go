//go:build unix && !linux

package shm_test

import (
	"os/exec"
	"strconv"
	"strings"
)

// stopped reports whether the process is in state T.
func stopped(pid int) bool {
	out, _ := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	return strings.HasPrefix(strings.TrimSpace(string(out)), "T")
}
