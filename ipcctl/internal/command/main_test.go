package command_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watchdog bounds a hang; nothing is expected to come near it.
const watchdog = 60 * time.Second

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	binary string // the command, built once
)

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "ipcctl-test-")
	if err != nil {
		panic(err)
	}
	os.Chmod(dir, 0o755) // some tests run the command as another user
	binary = filepath.Join(dir, "ipcctl")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	build := exec.Command("go", "build", "-tags", buildTags, "-o", binary, "github.com/ipcctl/ipc/ipcctl")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	// Where segments have no list of the system's, processes keep one in the
	// runtime folder: the tests and the commands share it.
	os.Setenv("XDG_RUNTIME_DIR", dir)
	code := m.Run()
	chosen := false // some tests, not all
	for _, f := range []string{"test.run", "test.skip", "test.list"} {
		chosen = chosen || flag.Lookup(f).Value.String() != ""
	}
	if code == 0 && !chosen {
		if gaps := untested(); len(gaps) > 0 {
			fmt.Fprintf(os.Stderr, "FAIL: no test of the built binary covers:\n  %s\n", strings.Join(gaps, "\n  "))
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// result is what a run of the command left.
type result struct {
	out, err string
	code     int // -1 if a signal ended it
}

// command prepares a run of the built binary, without a terminal, colour or
// anything of the user's own directories.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // a hang shows where it is
	cmd.WaitDelay = 5 * time.Second
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home)
	return cmd
}

// run runs the command with that stdin to its end.
func run(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	cmd := command(t, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(t, cmd)
}

func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v\n%s", cmd.Args[1:], err, errs.String())
	}
	if strings.Contains(errs.String(), "goroutine ") {
		t.Fatalf("%v: a stack trace on stderr:\n%s", cmd.Args[1:], errs.String())
	}
	saw(cmd.Args[1:], cmd.ProcessState.ExitCode())
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// must runs the command and returns its stdout; any failure ends the test.
func must(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	r := run(t, stdin, args...)
	if r.code != 0 {
		t.Fatalf("ipcctl %s: status %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// fails checks a run that must end with that status, nothing on stdout, and
// one line on stderr that holds every one of the texts.
func fails(t testing.TB, code int, args []string, texts ...string) {
	t.Helper()
	r := run(t, "", args...)
	line := "ipcctl " + strings.Join(args, " ")
	if r.code != code {
		t.Errorf("%s: status %d, want %d; stderr: %s", line, r.code, code, r.err)
	}
	if r.out != "" {
		t.Errorf("%s: stdout should be empty: %q", line, r.out)
	}
	if strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "ipcctl") {
		t.Errorf("%s: want one line from ipcctl on stderr, got %q", line, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			t.Errorf("%s: stderr lacks %q: %s", line, text, r.err)
		}
	}
}

// golden compares text with testdata/name, after replacing what differs
// between runs: pairs of old and new.
func golden(t testing.TB, name, text string, replace ...string) {
	t.Helper()
	text = strings.NewReplacer(replace...).Replace(text)
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s (rewrite with -update):\ngot:\n%s\nwant:\n%s", file, text, want)
	}
}

// background is a run of the command that goes on beside the test.
type background struct {
	cmd   *exec.Cmd
	lines chan string // of stdout; closed at its end
	errs  chan string // of stderr
	done  chan error
}

// start starts the command and waits until a line on stderr holds ready, if
// that is not empty.
func start(t testing.TB, ready string, args ...string) *background {
	t.Helper()
	return launch(t, ready, command(t, args...))
}

// launch is start for a command that is prepared, with a stdout of its own if it has one.
func launch(t testing.TB, ready string, cmd *exec.Cmd) *background {
	t.Helper()
	b := &background{cmd: cmd, lines: make(chan string, 1024), errs: make(chan string, 1024), done: make(chan error, 1)}
	out := io.ReadCloser(io.NopCloser(strings.NewReader("")))
	var err error
	if cmd.Stdout == nil {
		if out, err = b.cmd.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
	}
	errs, err := b.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan bool)
	for _, s := range []struct {
		from *bufio.Scanner
		to   chan string
	}{{bufio.NewScanner(out), b.lines}, {bufio.NewScanner(errs), b.errs}} {
		go func() {
			for s.from.Scan() {
				s.to <- s.from.Text()
			}
			close(s.to)
			read <- true
		}()
	}
	go func() {
		<-read
		<-read
		b.done <- b.cmd.Wait()
	}()
	t.Cleanup(func() { b.cmd.Process.Kill() })
	for ready != "" {
		line := next(t, b.errs)
		if strings.Contains(line, ready) {
			break
		}
	}
	return b
}

// next returns the next line, failing the test when none comes.
func next(t testing.TB, lines chan string) string {
	t.Helper()
	select {
	case line, ok := <-lines:
		if !ok {
			t.Fatal("the output ended before the line that was expected")
		}
		return line
	case <-time.After(watchdog):
		t.Fatal("no line came")
	}
	panic("unreachable")
}

// status waits for the end of the command and returns its exit status.
func (b *background) status(t testing.TB) int {
	t.Helper()
	select {
	case <-b.done:
		saw(b.cmd.Args[1:], b.cmd.ProcessState.ExitCode())
		return b.cmd.ProcessState.ExitCode()
	case <-time.After(watchdog):
		t.Fatalf("%v: still running", b.cmd.Args[1:])
	}
	panic("unreachable")
}

// interrupt sends SIGINT and waits for the end.
func (b *background) interrupt(t testing.TB) int {
	t.Helper()
	if err := b.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	return b.status(t)
}
