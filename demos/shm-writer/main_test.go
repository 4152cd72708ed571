package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipcctl/ipc/shm"
)

func TestWriter(t *testing.T) {
	demo := program(t)
	for name, end := range map[string]func(cmd *exec.Cmd, in io.Writer){
		"enter":  func(_ *exec.Cmd, in io.Writer) { in.Write([]byte("\n")) },
		"signal": func(cmd *exec.Cmd, _ io.Writer) { cmd.Process.Signal(os.Interrupt) },
		"hangup": func(cmd *exec.Cmd, _ io.Writer) { cmd.Process.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "hangup" && signal.Ignored(syscall.SIGHUP) {
				t.Skip("this test runs under nohup, so the demo ignores it too")
			}
			cmd := exec.Command(demo, "hello", "there")
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
			defer cmd.Process.Kill()
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			segment := strings.TrimSpace(line)
			r, err := shm.OpenReader(segment, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			b := make([]byte, len("hello there"))
			if _, err := r.ReadAt(b, 0); err != nil || string(b) != "hello there" {
				t.Errorf("the segment holds %q, %v", b, err)
			}
			end(cmd, in)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if _, err := shm.OpenReader(segment, nil); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after the end: %v, want %v", err, os.ErrNotExist)
			}
		})
	}
	empty := exec.Command(demo)
	empty.Stdin = strings.NewReader("\n")
	refused(t, empty, "empty")
	refused(t, exec.Command(demo, ""), "empty")
}

// program builds the demo once for a test.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// refused checks that the demo ends with a failure and one clear line.
func refused(t *testing.T, cmd *exec.Cmd, want string) {
	t.Helper()
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err == nil || len(out) > 0 {
		t.Errorf("%v: %v, stdout %q: want a failure and no output", cmd.Args[1:], err, out)
	}
	if strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), want) {
		t.Errorf("%v: want one line with %q, got %q", cmd.Args[1:], want, errs.String())
	}
}
