package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
)

func TestReader(t *testing.T) {
	demo := program(t)
	const message = "hello there"
	s, err := shm.Create("", len(message), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer shm.Remove(s.Name())
	defer s.Close()
	if _, err := s.WriteAt([]byte(message), 0); err != nil {
		t.Fatal(err)
	}
	asked := exec.Command(demo)
	asked.Stdin = strings.NewReader(s.Name() + "\n")
	for _, cmd := range []*exec.Cmd{exec.Command(demo, s.Name()), asked} {
		if out, err := cmd.Output(); err != nil || string(out) != message+"\n" {
			t.Errorf("%v: it printed %q, %v; want %q", cmd.Args[1:], out, err, message)
		}
	}
	refused(t, exec.Command(demo, "psm_nobody"), `no segment "psm_nobody"`)
	refused(t, exec.Command(demo, t.TempDir()), "shm")
	refused(t, exec.Command(demo, ""), "empty")
	refused(t, exec.Command(demo), "empty") // the end of stdin
	refused(t, exec.Command(demo, "a", "b"), "usage")
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
