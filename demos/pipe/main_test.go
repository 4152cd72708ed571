package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPipe(t *testing.T) {
	demo := program(t)
	for want, args := range map[string][]string{
		"hello from the child": nil,
		"two words":            {"two", "words"},
	} {
		cmd := exec.Command(demo, args...)
		out, err := cmd.Output()
		var parent, child int
		var text string
		if head, tail, ok := strings.Cut(string(out), ": "); ok {
			text = strings.TrimSuffix(tail, "\n")
			fmt.Sscanf(head, "parent %d received from child %d", &parent, &child)
		}
		if err != nil || text != want || parent != cmd.Process.Pid || child == 0 || child == parent {
			t.Errorf("%v: it printed %q, %v", args, out, err)
		}
	}
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
