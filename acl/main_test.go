package acl

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// watchdog bounds a hang; nothing here takes that long.
const watchdog = 60 * time.Second

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

// helper prepares to run the named helper process with args.
func helper(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "ACL_TEST_HELPER="+name)
	cmd.Stderr = os.Stderr
	return cmd
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

// within waits for done, or fails after the watchdog's time.
func within(t testing.TB, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(watchdog):
		t.Fatalf("%s: not within %v", what, watchdog)
	}
}
