package main

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/socket"
)

func TestClient(t *testing.T) {
	demo, path := program(t), filepath.Join(t.TempDir(), "s.sock")
	client := func(input string) *exec.Cmd {
		cmd := exec.Command(demo, path)
		cmd.Stdin = strings.NewReader(input)
		return cmd
	}
	refused(t, client("hello\n"), "no server at "+path)

	l, err := socket.Listen(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept(t.Context())
		if err == nil {
			defer c.Close()
			m, _ := c.Recv(t.Context())
			err = c.Send(t.Context(), append([]byte("got "), m.Data...))
		}
		done <- err
	}()
	out, err := client("two words\n").Output()
	if err != nil || string(out) != "got two words\n" {
		t.Errorf("the client printed %q, %v", out, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	refused(t, client("\n"), "empty")
	refused(t, client(""), "empty")
	refused(t, exec.Command(demo, "a", "b"), "usage")
}

// TestNobodyListens leaves a socket file whose server is gone.
func TestNobodyListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	cmd := exec.Command(program(t), path)
	cmd.Stdin = strings.NewReader("hello\n")
	refused(t, cmd, "no server at "+path)
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
