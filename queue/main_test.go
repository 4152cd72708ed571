package queue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Tests that need another process run this test binary again, with the name of
// a function in children in the environment.
const childEnv = "IPC_QUEUE_TEST_CHILD"

// emulatorEnv is a program that runs this test binary, where the kernel cannot
// by itself: qemu-aarch64-static for example.
const emulatorEnv = "IPC_TEST_EMULATOR"

// children holds the main functions of child processes. An error goes to
// standard error and makes the exit status 1.
var children = map[string]func(args []string) error{}

// registerChild adds a main function; call it in a package-level var.
func registerChild(name string, main func(args []string) error) string {
	if children[name] != nil {
		panic("two children are named " + name)
	}
	children[name] = main
	return name
}

// child is a running process of this test binary.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err strings.Builder
}

// spawn starts children[name] in a process of its own. The test's end kills it.
func spawn(t testing.TB, name string, args ...string) *child {
	t.Helper()
	c, err := start(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	c.t = t
	t.Cleanup(c.kill)
	return c
}

// start starts children[name]; the caller ends it with kill.
func start(name string, args ...string) (*child, error) {
	args = append([]string{os.Args[0]}, args...)
	if emulator := os.Getenv(emulatorEnv); emulator != "" {
		args = append([]string{emulator}, args...)
	}
	c := &child{cmd: exec.Command(args[0], args[1:]...)}
	// Without the option, a process under the race detector sleeps for a second at its end.
	c.cmd.Env = append(os.Environ(), childEnv+"="+name, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	c.cmd.Stderr = &c.err
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReader(out)
	return c, c.cmd.Start()
}

// line returns the next line that the child prints.
func (c *child) line() (string, error) {
	s, err := c.out.ReadString('\n')
	return strings.TrimSuffix(s, "\n"), err
}

// kill kills the child and waits for its end.
func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	}
}

// wait waits for the child's end; it must have succeeded.
func (c *child) wait() {
	c.t.Helper()
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("child: %v\n%s", err, c.err.String())
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		main := children[name]
		if main == nil {
			main = func([]string) error { return errors.New("no such child") }
		}
		go followParent()
		if err := main(os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("", "queue-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	runtimeDir = filepath.Join(dir, "run")
	os.Setenv("IPC_RUNTIME_DIR", runtimeDir)
	before := descriptors()
	goroutines := runtime.NumGoroutine()
	status := m.Run()
	if leak := leaks(before, goroutines); leak != "" && status == 0 {
		fmt.Fprintln(os.Stderr, "left behind by the tests:\n"+leak)
		status = 1
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// runtimeDir is where systems without /dev/shm have the queues of these tests,
// and kernels without locks of open files the locks.
var runtimeDir string

// followParent ends this child when its parent has ended without ending it.
func followParent() {
	for parent := os.Getppid(); os.Getppid() == parent; {
		time.Sleep(time.Second)
	}
	os.Exit(3)
}

// descriptors returns what the open descriptors refer to, nil where the system
// does not tell.
func descriptors() map[string]string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	open := map[string]string{}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open[e.Name()] = to
		}
	}
	return open
}

// leaks describes descriptors, goroutines and shared memory that are still
// there after the tests, or returns "".
func leaks(before map[string]string, goroutines int) string {
	for range 100 { // what ends by itself may take a moment
		if runtime.NumGoroutine() <= goroutines {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	var s strings.Builder
	buf := make([]byte, 1<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	goroutines += strings.Count(stacks, "os/signal.loop()") // the fuzzer's
	if n := runtime.NumGoroutine(); n > goroutines {
		fmt.Fprintf(&s, "%d goroutines\n%s\n", n-goroutines, stacks)
	}
	for fd, to := range descriptors() {
		if before[fd] == "" && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/proc/") {
			fmt.Fprintf(&s, "descriptor %s: %s\n", fd, to)
		}
	}
	for _, pattern := range []string{fmt.Sprintf("/dev/shm/*%stest.%d.*", filePrefix, os.Getpid()), runtimeDir + "/*/*" + filePrefix + "*"} {
		objects, _ := filepath.Glob(pattern)
		for _, o := range objects {
			fmt.Fprintln(&s, o)
		}
	}
	return s.String()
}
