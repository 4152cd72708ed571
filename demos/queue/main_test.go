package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipcctl/ipc/queue"
)

func TestQueue(t *testing.T) {
	demo := program(t)
	cmd := exec.Command(demo, "3")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got []string
	processes := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		words := strings.Fields(line)
		processes[words[0]+words[1]] = true
		if words[0] == "consumer" {
			got = append(got, strings.Join(words[2:], " "))
		}
	}
	if want := []string{"got item 1", "got item 2", "got item 3"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the consumer got %q, want %q", got, want)
	}
	if len(processes) != 2 {
		t.Errorf("want one producer and one consumer process, got %v", processes)
	}
	if q, err := queue.Open(fmt.Sprintf("demo-%d", cmd.Process.Pid), nil); err == nil {
		q.Close()
		t.Error("the queue is left behind")
	}
	refused(t, exec.Command(demo, "0"), `"0" items`)
	refused(t, exec.Command(demo, "many"), `"many" items`)
	refused(t, exec.Command(demo, "a", "b"), "usage")
	refused(t, exec.Command(demo, "consume", "nothing-there"), "nothing-there")
}

// Whichever of the two is killed, the demo ends, and its queue is gone.
func TestKilled(t *testing.T) {
	demo := program(t)
	for _, victim := range []string{"producer", "consumer"} {
		t.Run(victim, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // bounds a hang
			defer cancel()
			cmd := exec.CommandContext(ctx, demo, "1000000000")
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its children too
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			killed := false
			for lines := bufio.NewScanner(out); lines.Scan(); { // whoever prints must not wait for us
				if pid := 0; !killed && strings.HasPrefix(lines.Text(), victim) {
					fmt.Sscanf(lines.Text(), victim+" %d", &pid)
					p, err := os.FindProcess(pid)
					if err == nil {
						err = p.Kill()
					}
					if err != nil {
						t.Fatal(err)
					}
					killed = true
				}
			}
			if err := cmd.Wait(); err == nil || ctx.Err() != nil {
				t.Errorf("it ended with %v (%v), want a failure of its own", err, ctx.Err())
			}
			if q, err := queue.Open(fmt.Sprintf("demo-%d", cmd.Process.Pid), nil); err == nil {
				q.Close()
				t.Error("the queue is left behind")
			}
		})
	}
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
