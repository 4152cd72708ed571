package acl

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// helpers are the processes that tests start: this binary again, with the
// helper's name in ACL_TEST_HELPER.
var helpers = map[string]func(){}

func TestMain(m *testing.M) {
	if name := os.Getenv("ACL_TEST_HELPER"); name != "" {
		helpers[name]()
		os.Exit(0)
	}
	before := openFiles()
	code := m.Run()
	if code == 0 {
		code = leaks(before)
	}
	os.Exit(code)
}

// openFiles lists what our descriptors refer to, where the system tells.
func openFiles() map[string]string {
	open := map[string]string{}
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	for _, e := range dir {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open[e.Name()] = to
		}
	}
	return open
}

// leaks reports the descriptors that tests left open.
func leaks(before map[string]string) int {
	for _, name := range []string{"test.cpuprofile", "test.trace"} {
		if flag.Lookup(name).Value.String() != "" {
			return 0 // package testing leaves that file open
		}
	}
	code := 0
	for fd, to := range openFiles() {
		// The runtime's own: its poller, opened with the first file that needs it.
		if before[fd] != "" || strings.Contains(to, "[event") || strings.HasPrefix(to, "/proc/") {
			continue
		}
		fmt.Fprintf(os.Stderr, "left open: descriptor %s, %s\n", fd, to)
		code = 1
	}
	return code
}
