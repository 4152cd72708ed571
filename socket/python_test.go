//go:build unix

package socket

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// An interpreter is a Python to talk to.
type interpreter struct {
	path    string
	version string // "3.11"
	md5     bool   // before 3.12, authentication has nothing better
}

// eachPython runs test with every Python 3 there is: those that IPC_PYTHONS
// lists, as PATH lists directories, or all python3 and python3.N on PATH.
func eachPython(t *testing.T, test func(t *testing.T, py interpreter)) {
	t.Helper()
	candidates := filepath.SplitList(os.Getenv("IPC_PYTHONS"))
	must := len(candidates) > 0
	if !must {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			found, _ := filepath.Glob(filepath.Join(dir, "python3*"))
			candidates = append(candidates, found...)
		}
	}
	seen := map[string]bool{}
	for _, path := range candidates {
		if name := filepath.Base(path); !must && strings.Trim(name, "python.0123456789") != "" {
			continue // python3-config and the like
		}
		out, err := exec.CommandContext(soon(t), path, "-c", "import sys, multiprocessing.connection; print('%d.%d' % sys.version_info[:2])").Output()
		if err != nil {
			if must {
				t.Fatalf("%s of IPC_PYTHONS: %v", path, err)
			}
			continue
		}
		py := interpreter{path: path, version: strings.TrimSpace(string(out))}
		if seen[py.version] {
			continue
		}
		seen[py.version] = true
		var major, minor int
		if _, err := fmt.Sscanf(py.version, "%d.%d", &major, &minor); err != nil {
			t.Fatal(err)
		}
		py.md5 = minor < 12
		t.Run(py.version, func(t *testing.T) { test(t, py) })
	}
	switch {
	case len(seen) > 0:
	case os.Getenv("IPC_REQUIRE_PYTHON") != "":
		t.Fatal("no Python 3 on PATH")
	default:
		t.Skip("no Python 3 on PATH")
	}
}

// script prepares to run a script with args, its standard error on ours.
func (py interpreter) script(t testing.TB, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(soon(t), py.path, append([]string{"-c", script}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprintf("ACKNOWLEDGE=%t", handlesAreAcknowledged))
	return cmd
}

var pythonSizes = []int{0, 1, 16<<10 + 1, 5 << 20}

const pythonPattern = `
import sys, os, hashlib
from multiprocessing.connection import Client, Listener, Connection
from multiprocessing import reduction
SIZES = [0, 1, 16*1024+1, 5<<20]
def pattern(n): return (bytes(range(256)) * (n // 256 + 1))[:n]
path = sys.argv[1]
key = sys.argv[2].encode() if len(sys.argv) > 2 and sys.argv[2] else None
reduction.ACKNOWLEDGE = os.environ.get('ACKNOWLEDGE') == 'true' # as on macOS
`

func pythonBytes(n int) []byte {
	return bytes.Repeat(counting(256), n/256+1)[:n]
}

// exchange is the Go side of the scripts below: what comes goes back, a
// descriptor comes and another goes.
func exchange(t *testing.T, c *Conn) {
	t.Helper()
	is := is.New(t)
	for _, n := range pythonSizes {
		m, err := c.Recv(soon(t))
		is.NoErr(err)
		is.True(bytes.Equal(m.Data, pythonBytes(n))) // Python to Go
		is.NoErr(c.Send(soon(t), m.Data))
	}
	f, err := c.RecvHandle(soon(t))
	is.NoErr(err)
	defer f.Close()
	_, err = f.WriteString("written by Go")
	is.NoErr(err)
	r, w, err := os.Pipe()
	is.NoErr(err)
	defer r.Close()
	is.NoErr(c.SendHandle(soon(t), w))
	w.Close()
	text, err := io.ReadAll(r)
	is.NoErr(err)
	is.Equal(string(text), "written by Python")
	is.NoErr(c.Send(soon(t), []byte("done")))
	_, err = c.Recv(soon(t))
	is.Equal(err, io.EOF)
}

const pythonExchange = `
for n in SIZES:
    c.send_bytes(pattern(n))
    assert c.recv_bytes() == pattern(n), n
r, w = os.pipe()
reduction.send_handle(c, w, None)
os.close(w)
assert os.read(r, 100) == b'written by Go'
h = reduction.recv_handle(c)
os.write(h, b'written by Python')
os.close(h)
assert c.recv_bytes() == b'done'
c.close()
`

func TestPythonClient(t *testing.T) {
	eachPython(t, func(t *testing.T, py interpreter) {
		for _, key := range []string{"", "secret"} {
			t.Run("authkey="+key, func(t *testing.T) {
				is := is.New(t)
				path := filepath.Join(t.TempDir(), "s")
				l := listen(t, path, &ListenOptions{
					AuthKey: []byte(key), AllowMD5: py.md5, Conn: ConnOptions{MaxMessage: 8 << 20},
				})
				cmd := py.script(t, pythonPattern+"c = Client(path, authkey=key)\n"+pythonExchange, path, key)
				is.NoErr(cmd.Start())
				c, err := l.Accept(soon(t))
				is.NoErr(err)
				defer c.Close()
				is.Equal(int(c.Peer().PID), cmd.Process.Pid)
				exchange(t, c)
				is.NoErr(cmd.Wait())
			})
		}
	})
}

func TestPythonListener(t *testing.T) {
	eachPython(t, func(t *testing.T, py interpreter) {
		for _, key := range []string{"", "secret"} {
			t.Run("authkey="+key, func(t *testing.T) {
				is := is.New(t)
				path := filepath.Join(t.TempDir(), "s")
				cmd := py.script(t, pythonPattern+"l = Listener(path, authkey=key)\nc = l.accept()\n"+pythonExchange+"l.close()\n", path, key)
				is.NoErr(cmd.Start())
				c, err := Dial(soon(t), path, &DialOptions{
					Wait: true, AuthKey: []byte(key), AllowMD5: py.md5, Conn: ConnOptions{MaxMessage: 8 << 20},
				})
				is.NoErr(err)
				defer c.Close()
				is.Equal(int(c.Peer().PID), cmd.Process.Pid)
				exchange(t, c)
				is.NoErr(cmd.Wait())
			})
		}
	})
}

func TestPythonWithTheWrongKey(t *testing.T) {
	eachPython(t, func(t *testing.T, py interpreter) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		listen(t, path, &ListenOptions{AuthKey: []byte("right"), AllowMD5: py.md5})
		out, err := py.script(t, pythonPattern+`
from multiprocessing import AuthenticationError
try: Client(path, authkey=key)
except AuthenticationError as e: print("refused")
`, path, "wrong").Output()
		is.NoErr(err)
		is.Equal(strings.TrimSpace(string(out)), "refused")
	})
}

// The handshake of CPython 3.12 and later, spoken by whichever Python is here.
const pythonModern = `
import hmac
def digest(m, name='sha384'): return b'{%s}' % name.encode() + hmac.new(key, m, name).digest()
def deliver(c):
    m = b'{sha256}' + os.urandom(40)
    c.send_bytes(b'#CHALLENGE#' + m)
    reply = c.recv_bytes(256)
    assert reply.startswith(b'{sha256}') and hmac.compare_digest(reply, digest(m, 'sha256')), reply
    c.send_bytes(b'#WELCOME#')
def answer(c):
    m = c.recv_bytes(256)
    assert m.startswith(b'#CHALLENGE#{sha256}') and len(m) == 59, m
    c.send_bytes(digest(m[11:]))
    assert c.recv_bytes(256) == b'#WELCOME#'
`

func TestPythonModernDialect(t *testing.T) {
	eachPython(t, func(t *testing.T, py interpreter) {
		t.Run("client", func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "s")
			go echo(listen(t, path, &ListenOptions{AuthKey: []byte("secret")}))
			is.NoErr(py.script(t, pythonPattern+pythonModern+`
c = Client(path); answer(c); deliver(c)
c.send_bytes(b'hi'); assert c.recv_bytes() == b'hi'
`, path, "secret").Run())
		})
		t.Run("listener", func(t *testing.T) {
			is := is.New(t)
			path := filepath.Join(t.TempDir(), "s")
			cmd := py.script(t, pythonPattern+pythonModern+`
l = Listener(path); c = l.accept(); deliver(c); answer(c)
c.send_bytes(c.recv_bytes())
`, path, "secret")
			is.NoErr(cmd.Start())
			is.NoErr(roundTrip(t, path, &DialOptions{Wait: true, AuthKey: []byte("secret")}))
			is.NoErr(cmd.Wait())
		})
	})
}

// An inherited end of a pair is a multiprocessing.connection.Connection there.
func TestPythonChildOnAPair(t *testing.T) {
	eachPython(t, func(t *testing.T, py interpreter) {
		is := is.New(t)
		a, b := pair(t, &ConnOptions{MaxMessage: 8 << 20})
		f, err := b.File()
		is.NoErr(err)
		cmd := py.script(t, pythonPattern+"c = Connection(3)\n"+pythonExchange, "")
		cmd.ExtraFiles = []*os.File{f}
		is.NoErr(cmd.Start())
		is.NoErr(f.Close())
		is.NoErr(b.Close())
		exchange(t, a)
		is.NoErr(cmd.Wait())
	})
}

// A Python that sends pickles is understood as far as bytes go.
func TestPythonSendIsOneMessage(t *testing.T) {
	eachPython(t, func(t *testing.T, py interpreter) {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), "s")
		l := listen(t, path, nil)
		cmd := py.script(t, pythonPattern+"c = Client(path)\nc.send(('x', 1, None))\n", path)
		is.NoErr(cmd.Start())
		c, err := l.Accept(soon(t))
		is.NoErr(err)
		defer c.Close()
		m, err := c.Recv(soon(t))
		is.NoErr(err)
		is.Equal(fmt.Sprintf("%x", m.Data), "8004950a000000000000008c0178944b014e87942e")
		is.NoErr(cmd.Wait())
	})
}
