package command_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/socket"
	"github.com/matryer/is"
)

// serving starts a server on a path of its own.
func serving(t *testing.T, args ...string) (path string, b *background) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s.sock")
	return path, start(t, "listening on "+path, append([]string{"socket", "serve", path}, args...)...)
}

func TestSocketServe(t *testing.T) {
	is := is.New(t)
	path, server := serving(t)
	is.Equal(must(t, "", "socket", "send", path, "hello", "two words"), "ACK: hello\nACK: two words\n")
	is.Equal(next(t, server.lines), "hello")
	is.Equal(next(t, server.lines), "two words")
	is.Equal(must(t, "from stdin", "socket", "send", "--raw", path), "ACK: from stdin")
	is.Equal(must(t, "a\nb", "socket", "send", path, "--lines", "--timeout=50s"), "ACK: a\nACK: b\n")
	is.Equal(must(t, "", "socket", "send", path, "--no-reply", "quiet"), "")
	is.Equal(must(t, "", "socket", "send", path, "--", "-x"), "ACK: -x\n")
	o := conforms(t, "ipcctl socket send", must(t, "\xff", "socket", "send", path, "--json"))
	is.Equal(o[0]["encoding"], "base64")
	info, err := os.Lstat(path)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o600))

	is.Equal(server.interrupt(t), 0) // the proper end of a server
	for _, gone := range []string{path, path + ".lock"} {
		if _, err := os.Lstat(gone); err == nil {
			t.Errorf("%s is left behind", gone)
		}
	}
}

// A client whose program shares memory with its own server meets this one instead.
func TestSocketServeShared(t *testing.T) {
	is := is.New(t)
	path, server := serving(t)
	ctx := context.Background()
	c, err := socket.Dial(ctx, path, &socket.DialOptions{Conn: socket.ConnOptions{SharedBuffer: 256 << 10}})
	is.NoErr(err)
	defer c.Close()
	is.NoErr(c.Send(ctx, []byte("hello")))
	m, err := c.Recv(ctx)
	is.NoErr(err)
	is.Equal(string(m.Data), "ACK: hello")
	is.Equal(next(t, server.lines), "hello")
	is.NoErr(c.Close())
	is.Equal(server.interrupt(t), 0)
}

func TestSocketServeJSON(t *testing.T) {
	is := is.New(t)
	path, server := serving(t, "--json", "--mode", "0660")
	send := command(t, "socket", "send", path, "hello")
	is.Equal(finish(t, send).out, "ACK: hello\n")
	o := conforms(t, "ipcctl socket serve", next(t, server.lines))[0]
	is.Equal(o["message"], "hello")
	is.Equal(o["peer"].(map[string]any)["pid"], float64(send.Process.Pid)) // whom the kernel saw
	is.Equal(o["peer"].(map[string]any)["uid"], float64(os.Getuid()))
}

func TestSocketServeModes(t *testing.T) {
	is := is.New(t)
	echo, _ := serving(t, "--echo")
	is.Equal(must(t, "", "socket", "send", echo, "hello", ""), "hello\n\n")
	big := strings.Repeat("x", 1<<20)
	is.True(must(t, big, "socket", "send", echo, "--raw") == big)

	upper, server := serving(t, "--exec", `tr a-z A-Z; printf " $IPC_PEER_UID"`)
	is.Equal(must(t, "", "socket", "send", upper, "hello"), fmt.Sprintf("HELLO %d\n", os.Getuid()))
	is.Equal(server.interrupt(t), 0)

	failing, server := serving(t, "--exec", "echo broken >&2; exit 3")
	fails(t, 4, []string{"socket", "send", failing, "x"}, "hung up")
	is.True(strings.Contains(next(t, server.errs), "broken"))
}

func TestSocketLimit(t *testing.T) {
	path, _ := serving(t, "--echo", "--max-message", "1KiB")
	fails(t, 1, []string{"socket", "send", path, strings.Repeat("x", 101), "--max-message", "100"}, "--max-message")
	fails(t, 4, []string{"socket", "send", path, strings.Repeat("x", 1025)}, "hung up")
	is.New(t).Equal(must(t, "", "socket", "send", path, "ok"), "ok\n") // it goes on serving
}

func TestSocketPolicy(t *testing.T) {
	is := is.New(t)
	me := os.Getuid()
	dir := t.TempDir()
	path := filepath.Join(dir, "s.sock")
	allow := policy(t, fmt.Sprintf("allow uid:%d connect socket:%s\n", me, path))
	server := start(t, "listening", "socket", "serve", path, "--policy", allow)
	is.Equal(must(t, "", "socket", "send", path, "hello"), "ACK: hello\n")
	is.Equal(server.interrupt(t), 0)

	deny := policy(t, fmt.Sprintf("allow uid:%d connect socket:%s\n", me+1, path))
	server = start(t, "listening", "socket", "serve", path, "--policy", deny)
	fails(t, 4, []string{"socket", "send", path, "hello"}, path)
	is.True(strings.Contains(next(t, server.errs), "turned away"))
}

func TestSocketAuthKey(t *testing.T) {
	is := is.New(t)
	key := filepath.Join(t.TempDir(), "key")
	wrong := key + "2"
	is.NoErr(os.WriteFile(key, []byte("secret\n"), 0o600))
	is.NoErr(os.WriteFile(wrong, []byte("guess\n"), 0o600))
	path, _ := serving(t, "--authkey-file", key)
	is.Equal(must(t, "", "socket", "send", path, "hello", "--authkey-file", key), "ACK: hello\n")
	fails(t, 4, []string{"socket", "send", path, "hello", "--authkey-file", wrong}, "same --authkey-file")
	fails(t, 3, []string{"socket", "send", path, "hello", "--authkey-file", key + "3"}, "key3")
}

func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("IPC_REQUIRE_PYTHON") != "" {
			t.Fatal("IPC_REQUIRE_PYTHON is set, and there is no python3 on PATH")
		}
		t.Skip("no python3 on PATH")
	}
	return path
}

// TestSocketPython has stock Python on either side.
func TestSocketPython(t *testing.T) {
	is := is.New(t)
	python := python(t)
	key := filepath.Join(t.TempDir(), "key")
	is.NoErr(os.WriteFile(key, []byte("secret"), 0o600))

	path, server := serving(t)
	out, err := exec.Command(python, "-c", `
import sys
from multiprocessing.connection import Client
with Client(sys.argv[1], 'AF_UNIX') as c:
    c.send_bytes(b'hello from Python')
    print(c.recv_bytes().decode())
`, path).CombinedOutput()
	is.NoErr(err)
	is.Equal(string(out), "ACK: hello from Python\n")
	is.Equal(next(t, server.lines), "hello from Python")

	path, _ = serving(t, "--echo", "--authkey-file", key, "--md5")
	out, err = exec.Command(python, "-c", `
import sys
from multiprocessing.connection import Client
with Client(sys.argv[1], 'AF_UNIX', authkey=b'secret') as c:
    c.send_bytes(b'proven')
    print(c.recv_bytes().decode())
`, path).CombinedOutput()
	is.NoErr(err)
	is.Equal(string(out), "proven\n")

	path = filepath.Join(t.TempDir(), "py.sock")
	cmd := exec.Command(python, "-c", `
import sys
from multiprocessing.connection import Listener
with Listener(sys.argv[1], 'AF_UNIX', authkey=b'secret') as l, l.accept() as c:
    c.send_bytes(b'Python got ' + c.recv_bytes())
`, path)
	is.NoErr(cmd.Start())
	is.Equal(must(t, "", "socket", "send", path, "--wait", "hello", "--authkey-file", key, "--md5"), "Python got hello\n")
	is.NoErr(cmd.Wait())
}

func TestSocketFailures(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "none.sock")
	fails(t, 3, []string{"socket", "send", path, "x"}, path, "ipcctl ls")
	fails(t, 5, []string{"socket", "send", path, "x", "--wait", "--timeout", "50ms"}, path)

	// What a dead server left: nobody listens, and the next server takes over.
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	is.NoErr(err)
	l.SetUnlinkOnClose(false)
	l.Close()
	fails(t, 3, []string{"socket", "send", stale, "x"}, stale, "nobody listens")

	// A server that never answers.
	mute := filepath.Join(dir, "mute.sock")
	l, err = net.ListenUnix("unix", &net.UnixAddr{Name: mute, Net: "unix"})
	is.NoErr(err)
	defer l.Close()
	fails(t, 5, []string{"socket", "send", mute, "x", "--timeout", "100ms"}, mute)
	fails(t, 1, []string{"socket", "serve", mute}, mute, "live server")

	file, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "fifo")
	is.NoErr(os.WriteFile(file, []byte("keep"), 0o600))
	is.NoErr(mkfifo(fifo, 0o600))
	for _, other := range []string{file, fifo, dir} {
		fails(t, 1, []string{"socket", "serve", other}, other)
		if r := run(t, "", "socket", "send", other, "x"); r.code == 0 {
			t.Errorf("send to %s: status 0", other)
		}
	}
	kept, err := os.ReadFile(file)
	is.NoErr(err)
	is.Equal(string(kept), "keep")

	fails(t, 2, []string{"socket", "serve", path, "--echo", "--exec", "cat"}, "exclude")
	fails(t, 2, []string{"socket", "serve"}, "PATH is missing")
	fails(t, 2, []string{"socket", "send", path, "x", "--lines"}, "--lines reads stdin")
	fails(t, 3, []string{"socket", "serve", path, "--policy", path + ".acl"}, ".acl")
	r := run(t, "", "socket", "serve", stale, "--mode", "8")
	is.Equal(r.code, 2)
}
