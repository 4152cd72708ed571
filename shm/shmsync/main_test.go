//go:build unix

package shmsync

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// emulatorEnv is a program that runs this test binary, where the kernel cannot
// by itself: qemu-aarch64-static for example.
const emulatorEnv = "IPC_TEST_EMULATOR"

// childEnv names the function that a re-executed test binary runs.
const childEnv = "SHMSYNC_TEST_CHILD"

var children = map[string]func(args []string) error{"holder": childHolder, "echo": childEcho}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	dir, err := os.MkdirTemp("", "shmsync-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("IPC_RUNTIME_DIR", filepath.Join(dir, "run"))
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// start runs children[name] with f as descriptor 3 and waits for its first line.
func start(t testing.TB, name string, f *os.File, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{os.Args[0]}, args...)
	if emulator := os.Getenv(emulatorEnv); emulator != "" {
		args = append([]string{emulator}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{f}
	in, err := cmd.StdinPipe() // held open: its end tells the child that we died
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
	t.Cleanup(func() {
		in.Close()
		kill(cmd)
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%s says %q, %v", name, line, err)
	}
	return cmd
}

func kill(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func untilParent() { _, _ = io.Copy(io.Discard, os.Stdin) }
