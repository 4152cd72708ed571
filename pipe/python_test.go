//go:build unix

package pipe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// python returns a command that runs a script, which finds its arguments in
// sys.argv[1:].
func python(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("IPC_REQUIRE_PYTHON") != "" {
			t.Fatal("python3 is required and not on PATH")
		}
		t.Skip("python3 is not on PATH")
	}
	cmd := exec.Command(exe, append([]string{"-c", prelude + script}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

const prelude = `
import os, sys
from multiprocessing.connection import Connection, Pipe
def pattern(n):
    return bytes((i * 7 + (i >> 8) + n) & 255 for i in range(n))
`

// pythonSizes are the lengths where CPython changes how it writes.
var pythonSizes = []int{0, 1, 100, 16384, 16385, 65536, 5 << 20}

// many is how many messages an exchange has.
func many() int {
	if testing.Short() {
		return 1_000
	}
	return 10_000
}

// A Python child echoes through the duplex connection it inherits.
func TestPythonChild(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	cmd := python(t, `
c = Connection(int(os.environ["IPC_PIPE_FD"]))
try:
    while True:
        c.send_bytes(c.recv_bytes())
except EOFError:
    pass
`)
	conn, err := Command(cmd)
	is.NoErr(err)
	conn.Configure(&socket.ConnOptions{MaxMessage: 8 << 20})
	for _, n := range pythonSizes {
		is.NoErr(conn.Send(ctx, pattern(n)))
		msg, err := conn.Recv(ctx)
		is.NoErr(err)
		is.True(bytes.Equal(msg.Data, pattern(n)))
	}
	messages := many()
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			if err := conn.SendBuffered(ctx, []byte(strconv.Itoa(i))); err != nil {
				sent <- err
				return
			}
		}
		sent <- conn.Flush(ctx)
	}()
	for i := range messages {
		msg, err := conn.Recv(ctx)
		is.NoErr(err)
		is.Equal(string(msg.Data), strconv.Itoa(i))
	}
	is.NoErr(<-sent)
	is.NoErr(conn.Close())
	is.NoErr(cmd.Wait()) // it met EOFError, and nothing else
}

func TestPythonChildKilled(t *testing.T) {
	is := is.New(t)
	cmd := python(t, `
c = Connection(int(os.environ["IPC_PIPE_FD"]))
c.send_bytes(b"up")
c.recv_bytes()
`)
	conn, err := Command(cmd)
	is.NoErr(err)
	defer conn.Close()
	msg, err := conn.Recv(watched(t))
	is.NoErr(err)
	is.Equal(string(msg.Data), "up")
	is.NoErr(cmd.Process.Kill())
	_, err = conn.Recv(watched(t))
	is.Equal(err, io.EOF)
	_ = cmd.Wait()
}

func init() {
	// python's parent SCRIPT: starts a Python child and waits to be killed.
	roles["python's parent"] = func(args []string) error {
		cmd := exec.Command("python3", "-c", args[0])
		cmd.Stdout = os.Stdout
		conn, err := Command(cmd)
		if err != nil {
			return err
		}
		if _, err := conn.Recv(context.Background()); err != nil {
			return err
		}
		fmt.Println("ready")
		return untilKilled()
	}
}

func TestPythonChildsParentKilled(t *testing.T) {
	is := is.New(t)
	script := python(t, `
c = Connection(int(os.environ["IPC_PIPE_FD"]))
c.send_bytes(b"up")
try:
    c.recv_bytes()
except EOFError:
    print("EOFError", flush=True)
`).Args[2]
	cmd := self("python's parent", script)
	lines := bufio.NewReader(startVictim(t, cmd))
	line, err := lines.ReadString('\n')
	is.NoErr(err)
	is.Equal(line, "ready\n")
	is.NoErr(cmd.Process.Kill())
	line, err = lines.ReadString('\n')
	is.NoErr(err)
	is.Equal(line, "EOFError\n")
	_ = cmd.Wait()
}

func TestPythonChildKilledInsideMessage(t *testing.T) {
	is := is.New(t)
	cmd := python(t, `
import signal
fd = int(os.environ["IPC_PIPE_FD"])
os.write(fd, b"\0\0\0\x09half")
os.kill(os.getpid(), signal.SIGKILL)
`)
	conn, err := Command(cmd)
	is.NoErr(err)
	defer conn.Close()
	_, err = conn.Recv(watched(t))
	is.True(errors.Is(err, socket.ErrTruncated))
	_ = cmd.Wait()
}

// One-way pipes to and from a Python child: Pipe(duplex=False).
func TestPythonChildOneWay(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	cmd := python(t, `
r = Connection(3, writable=False)
w = Connection(4, readable=False)
try:
    while True:
        w.send_bytes(r.recv_bytes())
except EOFError:
    w.send_bytes(b"end")
`)
	childIn, w, err := New()
	is.NoErr(err)
	r, childOut, err := New()
	is.NoErr(err)
	r.SetLimit(8 << 20)
	w.SetLimit(8 << 20)
	in, err := childIn.Detach()
	is.NoErr(err)
	out, err := childOut.Detach()
	is.NoErr(err)
	cmd.ExtraFiles = []*os.File{in, out}
	is.NoErr(cmd.Start())
	is.NoErr(in.Close())
	is.NoErr(out.Close())
	for _, n := range pythonSizes {
		is.NoErr(w.Send(ctx, pattern(n)))
		msg, err := r.Recv(ctx)
		is.NoErr(err)
		is.True(bytes.Equal(msg, pattern(n)))
	}
	messages := many()
	go func() {
		for i := range messages {
			_ = w.SendBuffered(ctx, []byte(strconv.Itoa(i)))
		}
		_ = w.Flush(ctx)
		_ = w.Close()
	}()
	for i := range messages {
		msg, err := r.Recv(ctx)
		is.NoErr(err)
		is.Equal(string(msg), strconv.Itoa(i))
	}
	msg, err := r.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(msg), "end") // our Close is its EOFError
	_, err = r.Recv(ctx)
	is.Equal(err, io.EOF)
	is.NoErr(r.Close())
	is.NoErr(cmd.Wait())
}

func init() {
	// python duplex: the child of a Python parent that left it one end of Pipe().
	roles["python duplex"] = func([]string) error {
		ctx := context.Background()
		conn, err := FromEnv()
		if err != nil {
			return err
		}
		conn.Configure(&socket.ConnOptions{MaxMessage: 8 << 20})
		for {
			msg, err := conn.Recv(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if string(msg.Data) == "die" {
				return syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			if err := conn.Send(ctx, msg.Data); err != nil {
				return err
			}
		}
	}
	// python one-way R W: the same over Pipe(duplex=False) twice.
	roles["python one-way"] = func(args []string) error {
		ctx := context.Background()
		r, err := NewReader(os.NewFile(uintptr(atoi(args[0])), "r"))
		if err != nil {
			return err
		}
		w, err := NewWriter(os.NewFile(uintptr(atoi(args[1])), "w"))
		if err != nil {
			return err
		}
		r.SetLimit(8 << 20)
		w.SetLimit(8 << 20)
		for {
			msg, err := r.Recv(ctx)
			if err == io.EOF {
				return w.Close()
			}
			if err != nil {
				return err
			}
			if err := w.Send(ctx, msg); err != nil {
				return err
			}
		}
	}
}

// A Python parent and a Go child, over the Pipe that Python makes.
func TestPythonParent(t *testing.T) {
	sizes := strings.Trim(fmt.Sprint(pythonSizes), "[]")
	for name, script := range map[string]string{
		"duplex": `
a, b = Pipe()
env = dict(os.environ, PIPE_TEST_ROLE="python duplex", IPC_PIPE_FD=str(b.fileno()))
child = subprocess.Popen([sys.argv[1]], env=env, pass_fds=[b.fileno()])
b.close()
exchange(a, a)
a.close()
assert child.wait() == 0
`,
		"one-way": `
cr, pw = Pipe(duplex=False)
pr, cw = Pipe(duplex=False)
env = dict(os.environ, PIPE_TEST_ROLE="python one-way")
child = subprocess.Popen([sys.argv[1], str(cr.fileno()), str(cw.fileno())], env=env, pass_fds=[cr.fileno(), cw.fileno()])
cr.close(); cw.close()
exchange(pr, pw)
pw.close()
try:
    pr.recv_bytes()
    assert False, "the child's end brought no EOFError"
except EOFError:
    pass
assert child.wait() == 0
`,
		"child killed": `
a, b = Pipe()
env = dict(os.environ, PIPE_TEST_ROLE="python duplex", IPC_PIPE_FD=str(b.fileno()))
child = subprocess.Popen([sys.argv[1]], env=env, pass_fds=[b.fileno()])
b.close()
a.send_bytes(b"die")
try:
    a.recv_bytes()
    assert False, "the child's death brought no EOFError"
except EOFError:
    pass
assert child.wait() == -9
`,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			exe, err := os.Executable()
			is.NoErr(err)
			cmd := python(t, `
import subprocess
def exchange(r, w):
    for n in [int(s) for s in sys.argv[2].split()]:
        w.send_bytes(pattern(n))
        assert r.recv_bytes() == pattern(n), n
    for i in range(int(sys.argv[3])):
        w.send_bytes(b"%d" % i)
        assert r.recv_bytes() == b"%d" % i
`+script, exe, sizes, strconv.Itoa(many()))
			is.NoErr(cmd.Run())
		})
	}
}

// A FIFO between a Python writer and a Go reader, and the reverse.
func TestPythonFIFO(t *testing.T) {
	is := is.New(t)
	ctx := watched(t)
	path := newFIFO(t)
	cmd := python(t, `
w = Connection(os.open(sys.argv[1], os.O_WRONLY), readable=False)
for n in (0, 1, 5000):
    w.send_bytes(pattern(n))
w.close()
r = Connection(os.open(sys.argv[1], os.O_RDONLY), writable=False)
assert r.recv_bytes() == b"answer"
`, path)
	is.NoErr(cmd.Start())
	r, err := OpenReader(ctx, path, nil)
	is.NoErr(err)
	for _, n := range []int{0, 1, 5000} {
		msg, err := r.Recv(ctx)
		is.NoErr(err)
		is.True(bytes.Equal(msg, pattern(n)))
	}
	_, err = r.Recv(ctx)
	is.Equal(err, io.EOF)
	is.NoErr(r.Close())
	w, err := OpenWriter(ctx, path, nil)
	is.NoErr(err)
	is.NoErr(w.Send(ctx, []byte("answer")))
	is.NoErr(w.Close())
	is.NoErr(cmd.Wait())
}
