//go:build unix

package pipe

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// roles are what this binary does when a test starts it as another process.
var roles = map[string]func(args []string) error{}

const roleEnv = "PIPE_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		if err := roles[role](os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	warmUp()
	before := openFiles()
	code := m.Run()
	if code == 0 {
		code = checkLeaks(before)
	}
	os.Exit(code)
}

// warmUp makes the runtime open what it keeps: its poller.
func warmUp() {
	r, w, err := os.Pipe()
	if err == nil {
		r.Close()
		w.Close()
	}
}

// checkLeaks waits for the last goroutines to end, and says which descriptors
// and goroutines don't.
func checkLeaks(before []string) int {
	deadline := time.Now().Add(20 * time.Second)
	for { // ends: nothing is left, or the deadline
		runtime.GC() // files of failed benchmarks and the like
		goroutines, files := runtime.NumGoroutine(), openFiles()
		if goroutines <= 2 && len(files) <= len(before) {
			return 0
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			fmt.Printf("leaked: descriptors %v, before %v; %d goroutines\n%s\n",
				files, before, goroutines, stacks[:runtime.Stack(stacks, true)])
			return 1
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// openFiles lists this process's descriptors, where the system shows them.
func openFiles() []string {
	entries, _ := os.ReadDir("/proc/self/fd")
	var files []string
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(to, "/proc/") {
			files = append(files, e.Name()+" "+to)
		}
	}
	slices.Sort(files)
	return files
}

// watched returns a context that bounds a hang, and nothing else.
func watched(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	tb.Cleanup(cancel)
	return ctx
}

// soon returns a context that ends while the call under test waits.
func soon(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	tb.Cleanup(cancel)
	return ctx
}

// emulatorEnv is a program that runs this test binary, where the kernel cannot
// by itself: qemu-aarch64-static for example.
const emulatorEnv = "IPC_TEST_EMULATOR"

// self returns a command that runs this binary in a role.
func self(role string, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	args = append([]string{exe}, args...)
	if emulator := os.Getenv(emulatorEnv); emulator != "" {
		args = append([]string{emulator}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role,
		"GORACE=atexit_sleep_ms=0") // the race detector's default adds a second to every process
	cmd.Stderr = os.Stderr
	return cmd
}

// startSelf starts this binary in a role; it is killed if the test ends first.
func startSelf(tb testing.TB, role string, args ...string) *exec.Cmd {
	tb.Helper()
	cmd := self(role, args...)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd
}

// untilKilled waits to be killed, or for the test to die: then its end of the
// pipe on stdin is gone.
func untilKilled() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startVictim starts cmd, whose role ends with untilKilled, and returns its
// standard output.
func startVictim(tb testing.TB, cmd *exec.Cmd) io.Reader {
	tb.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe() // closed by Wait
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// newFIFO creates a FIFO in a directory of its own.
func newFIFO(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "fifo")
	if _, err := Create(path, nil); err != nil {
		tb.Fatal(err)
	}
	return path
}

// pattern returns n bytes that depend on their place and on n.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + n)
	}
	return b
}

// closing closes c when the test ends.
func closing[T interface{ Close() error }](tb testing.TB, c T, err error) T {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// pair is New, or newPipe of another mode, for a test.
func pair(tb testing.TB, m mode) (*Reader, *Writer) {
	tb.Helper()
	r, w, err := newPipe(m)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = r.Close()
		_ = w.Close()
	})
	return r, w
}
