package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipcctl/ipc/socket"
)

func TestServer(t *testing.T) {
	demo, path := program(t), filepath.Join(t.TempDir(), "s.sock")
	cmd := exec.Command(demo, path)
	errs, err := cmd.StderrPipe()
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
	if line, err := bufio.NewReader(errs).ReadString('\n'); !strings.Contains(line, "listening on "+path) {
		t.Fatalf("the server said %q, %v", line, err)
	}
	c, err := socket.Dial(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	printed := bufio.NewReader(out)
	for _, msg := range []string{"hello", "two words"} {
		if err := c.Send(t.Context(), []byte(msg)); err != nil {
			t.Fatal(err)
		}
		m, err := c.Recv(t.Context())
		if err != nil || string(m.Data) != "ACK: "+msg {
			t.Errorf("answer %q, %v; want %q", m.Data, err, "ACK: "+msg)
		}
		if line, _ := printed.ReadString('\n'); line != msg+"\n" {
			t.Errorf("the server printed %q, want %q", line, msg)
		}
	}
	refused(t, exec.Command(demo, path), path)                             // that path is taken
	refused(t, exec.Command(demo, filepath.Dir(path)), filepath.Dir(path)) // and that is a folder
	refused(t, exec.Command(demo, "a", "b"), "usage")
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v, want status 0", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("%s is left behind", path)
	}
}

// systemd-socket-activate starts the server when socat connects.
func TestActivatedServer(t *testing.T) {
	manager, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip(err)
	}
	socat, err := exec.LookPath("socat")
	if err != nil {
		t.Skip(err)
	}
	demo, path := program(t), filepath.Join(t.TempDir(), "s.sock")
	cmd := exec.Command(manager, "-l", path, demo)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for _, err := os.Lstat(path); err != nil; _, err = os.Lstat(path) { // no server yet
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	answer, err := ask(socat, path)
	for refused := new(exec.ExitError); errors.As(err, &refused) && strings.Contains(string(refused.Stderr), "refused"); {
		answer, err = ask(socat, path) // the path is there a moment before it listens
	}
	if err != nil || string(answer) != "\x00\x00\x00\x0aACK: hello" {
		t.Fatalf("socat got %q, %v", answer, err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "hello\n" {
		t.Errorf("the server printed %q, want hello", line)
	}
}

// ask has socat send a message and returns the answer.
func ask(socat, path string) ([]byte, error) {
	client := exec.Command(socat, "-t", "60", "-", "UNIX-CONNECT:"+path)
	client.Stdin = strings.NewReader("\x00\x00\x00\x05hello") // the length, then the message
	return client.Output()
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
