//go:build linux && !ipcportable

package shm_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// python finds python3, or skips the test; IPC_REQUIRE_PYTHON forbids that.
func python(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("IPC_REQUIRE_PYTHON") != "" {
			t.Fatal("python3 is required and not on PATH")
		}
		t.Skip("python3 is not on PATH")
	}
	return path
}

func (p *process) tell(s string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, s); err != nil {
		p.t.Fatal(err)
	}
}

// sameByteOrder skips where an emulated machine of the other byte order would
// share native numbers with this machine's Python.
func sameByteOrder(t *testing.T) {
	if os.Getenv(emulatorEnv) != "" {
		littleEndian(t)
	}
}

// runPython runs a script to its end and returns what it printed.
func runPython(t *testing.T, script string, args ...string) string {
	t.Helper()
	cmd := exec.Command(python(t), append([]string{"-W", "ignore", "-c", script}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// keepTracker makes a Python up to 3.12 leave alone what it attaches to.
const keepTracker = `
import sys
from multiprocessing import shared_memory, resource_tracker
if sys.version_info < (3, 13):
    resource_tracker.register = lambda *a, **k: None
    resource_tracker.unregister = lambda *a, **k: None
`

func TestPythonReadsOurs(t *testing.T) {
	is := is.New(t)
	r, err := shm.Create("", 5000, nil)
	is.NoErr(err)
	defer shm.Remove(r.Name())
	defer r.Close()
	r.WriteAt([]byte("from go"), 4000)
	is.Equal(runPython(t, keepTracker+`
s = shared_memory.SharedMemory(sys.argv[1])
print(s.name, s.size, bytes(s.buf[4000:4007]).decode())
s.buf[0:11] = b"from python"
s.close()
`, r.Name()), r.Name()+" 5000 from go")
	b := make([]byte, 11)
	r.ReadAt(b, 0)
	is.Equal(string(b), "from python")
}

func TestWeReadPythons(t *testing.T) {
	is := is.New(t)
	p := startCmd(t, exec.Command(python(t), "-u", "-c", `
from multiprocessing import shared_memory
s = shared_memory.SharedMemory(create=True, size=777)
s.buf[0:5] = b"hello"
print(s.name)
input()
print(bytes(s.buf[5:7]).decode())
s.close()
s.unlink()
`))
	name := p.line()
	is.True(strings.HasPrefix(name, "psm_"))
	r, err := shm.Open(name, nil)
	is.NoErr(err)
	defer r.Close()
	is.Equal(r.Size(), 777)
	b := make([]byte, 5)
	r.ReadAt(b, 0)
	is.Equal(string(b), "hello")
	r.WriteAt([]byte("ok"), 5)

	l, err := shm.List()
	is.NoErr(err)
	for _, i := range l {
		if i.Name == name {
			is.Equal(i.State, shm.Live)
			is.Equal(i.Mode, os.FileMode(0o600))
			is.True(usedBy(i, p.cmd.Process.Pid))
		}
	}
	p.tell("")
	is.Equal(p.line(), "ok")
	is.NoErr(p.wait())
	_, err = shm.Open(name, nil)
	is.True(errors.Is(err, os.ErrNotExist))
}

func usedBy(i shm.Info, pid int) bool {
	for _, u := range i.Users {
		if u.PID == pid {
			return u.Mapped
		}
	}
	return false
}

func TestPythonListBothWays(t *testing.T) {
	sameByteOrder(t)
	is := is.New(t)
	// 'é' is two bytes: CPython sizes by characters, which is enough for these.
	const items = `[1, -2.5, True, None, 'h\u00e9llo', b'ab\0', '12345678', -(1<<62), '', '日本語', b'', 'x'*100]`
	want := []any{int64(1), -2.5, true, nil, "héllo", []byte("ab"), "12345678", int64(-1 << 62), "", "日本語", []byte{}, strings.Repeat("x", 100)}
	in := append([]any{}, want...)
	in[5] = []byte("ab\x00")

	l, err := shm.CreateShareableList("", in, nil)
	is.NoErr(err)
	defer shm.Remove(l.Name())
	defer l.Close()
	is.Equal(runPython(t, keepTracker+`
l = shared_memory.ShareableList(name=sys.argv[1])
want = `+items+`
want[5] = b'ab'
print(list(l) == want)
l[0] = 42
l[1] = 'pi=3.14'
l[9] = '\u65e5'
l.shm.close()
`, l.Name()), "True")
	got, err := l.Items()
	is.NoErr(err)
	want[0], want[1], want[9] = int64(42), "pi=3.14", "日"
	is.Equal(got, want)

	// The reverse: Python's own bytes.
	p := startCmd(t, exec.Command(python(t), "-u", "-c", `
from multiprocessing import shared_memory
l = shared_memory.ShareableList([1, -2.5, True, None, 'h\u00e9llo', b'ab\0', '12345678'])
print(l.shm.name)
input()
print(repr(l[0]), repr(l[4]), repr(l[5]), repr(l[3]), repr(l[2]))
l.shm.close()
l.shm.unlink()
`))
	theirs, err := shm.OpenShareableList(p.line(), nil)
	is.NoErr(err)
	defer theirs.Close()
	got, err = theirs.Items()
	is.NoErr(err)
	is.Equal(got, []any{int64(1), -2.5, true, nil, "héllo", []byte("ab"), "12345678"})
	is.NoErr(theirs.Set(0, "eight by"))
	is.NoErr(theirs.Set(4, "wörld"))
	is.NoErr(theirs.Set(5, 7))
	is.NoErr(theirs.Set(3, false))
	is.NoErr(theirs.Set(2, nil))
	p.tell("")
	is.Equal(p.line(), "'eight by' 'wörld' 7 False None")
	is.NoErr(p.wait())
}

// oldPythons are the installed versions that delete what they attached to.
func oldPythons(t *testing.T) (found []string) {
	python(t)
	versions := []string{"python3", "python3.8", "python3.9", "python3.10", "python3.12"}
	if testing.Short() {
		versions = versions[:1]
	}
	for _, v := range versions {
		if exec.Command(v, "-c", "import sys; from multiprocessing import shared_memory; sys.exit(sys.version_info >= (3,13))").Run() == nil {
			found = append(found, v)
		}
	}
	return found
}

// A Python up to 3.12 that only attached deletes the segment when it exits. A
// loan is what it deletes instead.
func TestLendToOldPython(t *testing.T) {
	const attach = `
from multiprocessing import shared_memory
import sys
s = shared_memory.SharedMemory(sys.argv[1])
print(bytes(s.buf[:4]).decode())
s.close()
`
	versions := oldPythons(t)
	if len(versions) == 0 {
		t.Skip("every Python here is new enough to leave segments alone")
	}
	for _, v := range versions {
		t.Run(v, func(t *testing.T) {
			is := is.New(t)
			run := func(name string) string {
				out, err := exec.Command(v, "-W", "ignore", "-c", attach, name).Output()
				is.NoErr(err)
				return strings.TrimSpace(string(out))
			}
			r, err := shm.Create(testName(t), 100, nil)
			is.NoErr(err)
			defer r.Close()
			r.WriteAt([]byte("data"), 0)
			loan, err := r.Lend()
			is.NoErr(err)
			is.Equal(run(loan.Name()), "data")
			waitUntil(t, "the tracker deletes the loan", func() bool { _, err := shm.Open(loan.Name(), nil); return errors.Is(err, os.ErrNotExist) })
			again, err := shm.Open(r.Name(), nil) // it lives
			is.NoErr(err)
			is.NoErr(again.Close())
			is.NoErr(loan.Close())

			is.Equal(run(r.Name()), "data") // without a loan
			waitUntil(t, "the tracker deletes the segment", func() bool { _, err := shm.Open(r.Name(), nil); return errors.Is(err, os.ErrNotExist) })
		})
	}
}

func TestLoanIsReturned(t *testing.T) {
	is := is.New(t)
	r, err := shm.Create(testName(t), 100, nil)
	is.NoErr(err)
	defer r.Close()
	loan, err := r.Lend()
	is.NoErr(err)
	l, err := shm.List()
	is.NoErr(err)
	names := 0
	for _, i := range l {
		if i.Name == loan.Name() || i.Name == r.Name() {
			names++
			is.Equal(i.Links, uint64(2))
			is.Equal(i.State, shm.Live)
		}
	}
	is.Equal(names, 2)
	is.NoErr(loan.Close())
	is.NoErr(loan.Close())
	_, err = shm.Open(loan.Name(), nil)
	is.True(errors.Is(err, os.ErrNotExist))

	// A name that somebody else has taken since is left alone.
	loan, err = r.Lend()
	is.NoErr(err)
	is.NoErr(shm.Remove(loan.Name()))
	other, err := shm.Create(loan.Name(), 10, nil)
	is.NoErr(err)
	defer other.Close()
	is.NoErr(loan.Close())
	is.NoErr(shm.Remove(loan.Name()))

	anon, err := shm.Anonymous(100, nil)
	is.NoErr(err)
	defer anon.Close()
	_, err = anon.Lend()
	is.True(err != nil) // no name, no second name
}

// The recipe of README.md for reading a cell from Python.
const pythonCell = `
import struct
def load(buf, at=0):
    magic, order, slots, capacity, stride = struct.unpack_from("=8sIIQQ", buf, at)
    assert magic == b"ipccell1" and order == 0x01020304
    while True:
        n, = struct.unpack_from("=Q", buf, at + 64)
        if n == 0:
            return None, 0
        slot = at + 128 + n % slots * stride
        m, length = struct.unpack_from("=QQ", buf, slot)
        value = bytes(buf[slot + 16 : slot + 16 + min(length, capacity)])
        now, = struct.unpack_from("=Q", buf, at + 64)
        if m == n and now - n < slots - 1:
            return value, n
`

func TestPythonReadsCell(t *testing.T) {
	sameByteOrder(t)
	is := is.New(t)
	readme, err := os.ReadFile("README.md")
	is.NoErr(err)
	is.True(strings.Contains(string(readme), strings.TrimSpace(pythonCell)))
	c, _ := newByteCell(t, 64)
	for i := range 11 {
		is.NoErr(c.Store(t.Context(), []byte(fmt.Sprint("value ", i))))
	}
	l, _ := shm.List()
	name := ""
	for _, i := range l {
		if strings.HasPrefix(i.Name, fmt.Sprintf("%s%d-", testPrefix, os.Getpid())) {
			name = i.Name
		}
	}
	is.Equal(runPython(t, keepTracker+pythonCell+`
s = shared_memory.SharedMemory(sys.argv[1])
print(load(s.buf))
s.close()
`, name), "(b'value 10', 11)")
}
