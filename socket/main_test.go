package socket

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// watchdog bounds a hang; nothing here takes that long.
const watchdog = 60 * time.Second

// emulatorEnv is a program that runs this test binary, where the kernel cannot
// by itself: qemu-aarch64-static for example.
const emulatorEnv = "IPC_TEST_EMULATOR"

// helpers are the processes that tests start: this binary again, with the
// helper's name in SOCKET_TEST_HELPER.
var helpers = map[string]func(args []string){}

func TestMain(m *testing.M) {
	if name := os.Getenv("SOCKET_TEST_HELPER"); name != "" {
		helpers[name](os.Args[1:])
		os.Exit(0)
	}
	if r, w, err := os.Pipe(); err == nil { // the runtime's poller has descriptors too
		r.Close()
		w.Close()
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
	args = append([]string{self}, args...)
	if emulator := os.Getenv(emulatorEnv); emulator != "" {
		args = append([]string{emulator}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "SOCKET_TEST_HELPER="+name)
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
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(to, "/proc/") { // the directory being read doesn't count
			open[e.Name()] = to
		}
	}
	return open
}

// leaks reports the descriptors, mappings and goroutines that tests left behind. Those
// of connections that a peer has just closed may still be on their way out.
func leaks(before map[string]string) int {
	var left string
	for range 200 {
		left = ""
		for fd, to := range openFiles() {
			if before[fd] == "" {
				left += fmt.Sprintf("left open: descriptor %s, %s\n", fd, to)
			}
		}
		if maps, err := os.ReadFile("/proc/self/maps"); err == nil && strings.Contains(string(maps), "memfd:ipc-socket") {
			left += "left mapped: memory shared with a peer\n"
		}
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		if strings.Contains(stacks, "ipc/socket.(*") {
			left += "left running:\n" + stacks
		}
		if left == "" {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprint(os.Stderr, left)
	return 1
}

// soon is a context that ends only if something hangs.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	t.Cleanup(cancel)
	return ctx
}

// pair returns two connections that the test's end closes.
func pair(t testing.TB, o *ConnOptions) (*Conn, *Conn) {
	t.Helper()
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	a.Configure(o)
	b.Configure(o)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// eventually waits for a condition that nothing signals.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(watchdog); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, watchdog)
		}
	}
}
