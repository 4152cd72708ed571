//go:build unix

package shm_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm"
)

// campaign is how long each hostile campaign runs; the full one is 10 s or more.
var campaign = flag.Duration("campaign", 1500*time.Millisecond, "length of each campaign against hostile or dying processes")

// kills is how many processes each kill campaign kills.
var kills = flag.Int("kills", 100, "processes to kill in each kill campaign")

// emulatorEnv is a program that runs this test binary, where the kernel cannot
// by itself: qemu-aarch64-static for example.
const emulatorEnv = "IPC_TEST_EMULATOR"

// childEnv names the function that a re-executed test binary runs.
const childEnv = "SHM_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(runAndCheckLeaks(m))
}

// runAndCheckLeaks runs the tests in a runtime directory of their own and
// fails if descriptors or segments remain.
func runAndCheckLeaks(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "shm-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Setenv("IPC_RUNTIME_DIR", filepath.Join(dir, "run"))
	before := openFiles()
	code := m.Run()
	if after := openFiles(); code == 0 && len(after) > len(before)+3 { // the poller's own and its kind
		fmt.Fprintf(os.Stderr, "descriptors leaked: %d before, %d after:\n%s\n", len(before), len(after), strings.Join(after, "\n"))
		code = 1
	}
	if left := testSegments(); code == 0 && len(left) > 0 {
		fmt.Fprintln(os.Stderr, "segments left behind:", left)
		code = 1
	}
	return code
}

// openFiles lists this process's descriptors; nothing where /proc is missing.
func openFiles() []string {
	fds, _ := os.ReadDir("/proc/self/fd")
	var out []string
	for _, fd := range fds {
		to, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		out = append(out, fd.Name()+" "+to)
	}
	return out
}

// testName is a segment name that no other test run uses; the segment is
// removed at the end.
func testName(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("%s%d-%d", testPrefix, os.Getpid(), nextName())
	t.Cleanup(func() {
		if err := shm.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("remove %s: %v", name, err)
		}
	})
	return name
}

const testPrefix = "shmtest-"

var names struct {
	sync.Mutex
	n int
}

func nextName() int {
	names.Lock()
	defer names.Unlock()
	names.n++
	return names.n
}

func testSegments() (left []string) {
	l, _ := shm.List()
	for _, i := range l {
		if strings.HasPrefix(i.Name, fmt.Sprintf("%s%d-", testPrefix, os.Getpid())) {
			left = append(left, i.Name)
		}
	}
	return left
}

// A process is a child that runs one of children and talks by lines.
type process struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs children[name] in another process. It is killed at the test's end.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	return startCmd(t, command(name, args...))
}

func command(name string, args ...string) *exec.Cmd {
	args = append([]string{os.Args[0]}, args...)
	if emulator := os.Getenv(emulatorEnv); emulator != "" {
		args = append([]string{emulator}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

func startCmd(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(p.kill)
	return p
}

// line is the next line that the child prints.
func (p *process) line() string {
	p.t.Helper()
	got := make(chan string, 1)
	go func() {
		s, _ := p.out.ReadString('\n')
		got <- strings.TrimSpace(s)
	}()
	select {
	case s := <-got:
		return s
	case <-time.After(watchdog):
		p.t.Fatalf("no line from %v", p.cmd.Args)
		return ""
	}
}

// kill ends the child with SIGKILL and waits for it. It may be called again.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Kill()
	p.wait()
}

// wait lets the child finish by itself.
func (p *process) wait() error {
	p.in.Close()
	return p.cmd.Wait()
}

// watchdog bounds a hang; the machine may be busy.
const watchdog = 2 * time.Minute

func waitUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(watchdog); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func watchdogContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	t.Cleanup(cancel)
	return ctx
}

// children are what a re-executed test binary can be.
var children = map[string]func(args []string) error{
	"hold": childHold, "hostile": childHostile, "locker": childLocker, "permits": childPermits,
	"cellwriter": childCellWriter, "fulltmpfs": childFullTmpfs, "creator": childCreator,
}

// say prints one line to the parent.
func say(args ...any) { fmt.Println(args...) }

// untilParent returns when the parent closes our standard input or dies.
func untilParent() { io.Copy(io.Discard, os.Stdin) }

// dieWithParent ends a child that works until it is killed, if its parent ends
// without doing so.
func dieWithParent() {
	go func() {
		untilParent()
		os.Exit(1)
	}()
}

// childHold attaches to a segment and keeps it: hold NAME [reader].
func childHold(args []string) error {
	if len(args) > 1 {
		r, err := shm.OpenReader(args[0], nil)
		if err != nil {
			return err
		}
		defer r.Close()
	} else {
		r, err := shm.Open(args[0], nil)
		if err != nil {
			return err
		}
		defer r.Close()
	}
	say("ready")
	untilParent()
	return nil
}
