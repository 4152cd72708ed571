//go:build !ipcportable

package command_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// TestGC puts objects in every state next to each other: exactly the dead ones
// are removed. Objects of other tests on this host are none of its business, so
// it looks at its own alone.
func TestGC(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	mine := map[string]bool{} // name: to be removed
	segment := func(name string) *shm.Region {
		r, err := shm.Create(name, 4096, nil)
		is.NoErr(err)
		t.Cleanup(func() { shm.Remove(r.Name()) })
		return r
	}

	held := segment("") // by this process
	defer held.Close()
	mine[held.Name()] = false
	dead := segment("")
	dead.Close()
	mine[dead.Name()] = true
	chosen := segment(segmentName(t)) // somebody chose the name
	chosen.Close()
	mine[chosen.Name()] = false
	for _, end := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		name := holder(t, end)
		mine[name] = end == syscall.SIGKILL
	}
	q := newQueue(t)
	mine[q] = false

	listen := func(name string) *net.UnixListener {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unix"})
		is.NoErr(err)
		l.SetUnlinkOnClose(false)
		return l
	}
	defer listen("live").Close()
	mine[filepath.Join(dir, "live")] = false
	listen("stale").Close()
	mine[filepath.Join(dir, "stale")] = true
	is.NoErr(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	mine[filepath.Join(dir, "fifo")] = false

	exists := func(name string) bool {
		if filepath.IsAbs(name) {
			_, err := os.Lstat(name)
			return err == nil
		}
		if name == q {
			r, err := queue.OpenReader(name)
			if err == nil {
				r.Close()
			}
			return err == nil
		}
		_, err := os.Lstat("/dev/shm/" + name)
		return err == nil
	}
	// A segment is proven dead only where every process can be looked into.
	infos, err := shm.List()
	is.NoErr(err)
	for _, i := range infos {
		if mine[i.Name] && i.Hidden > 0 {
			mine[i.Name] = false
		}
	}

	// Dry, then too young, then in earnest. Only sockets are removed in
	// earnest: other tests' segments would go too.
	objects := conforms(t, "ipcctl gc", must(t, "", "gc", "--json", "--older-than", "0", dir))
	for name, removed := range mine {
		if o := find(objects, name); (o != nil) != removed || o != nil && o["action"] != "would-remove" {
			t.Errorf("%s: dead %t, but gc says %v", name, removed, o)
		}
		is.True(exists(name))
	}
	for _, o := range conforms(t, "ipcctl gc", must(t, "", "gc", "--json", "--yes", "--kind", "socket", "--older-than", "1h", dir)) {
		if strings.HasPrefix(o["name"].(string), dir) {
			is.Equal(o["action"], "kept")
		}
	}
	out := must(t, "", "gc", "--yes", "--kind", "socket", "--older-than", "0", dir)
	golden(t, "gc.socket.txt", ofDir(out, dir), dir, "DIR")
	for name, removed := range mine {
		if removed && filepath.IsAbs(name) == exists(name) {
			t.Errorf("%s: exists %t", name, exists(name))
		}
		if !removed {
			is.True(exists(name))
		}
	}
	golden(t, "gc.help.txt", must(t, "", "gc", "--help"))
	fails(t, 2, []string{"gc", "--kind", "queue"}, "shm and socket")
	fails(t, 2, []string{"gc", "--older-than", "-1s"}, "negative")
}

// holder starts a Python process that makes a segment of a generated name and
// has it mapped, and sends it a signal.
func holder(t *testing.T, signal syscall.Signal) string {
	t.Helper()
	cmd := exec.Command(python(t), "-c", `
import sys
from multiprocessing import resource_tracker, shared_memory
m = shared_memory.SharedMemory(create=True, size=4096)
resource_tracker.unregister('/' + m.name, 'shared_memory')
print(m.name, flush=True)
sys.stdin.read()
`)
	in, err := cmd.StdinPipe()
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
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(line)
	cmd.Process.Signal(signal)
	if signal == syscall.SIGKILL {
		cmd.Wait()
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
		shm.Remove(name)
	})
	return name
}

// TestGCSegment buries a segment in earnest, in shared memory that is this
// test's alone. It is proven dead only where every process of the host can be
// seen, which ls knows; elsewhere gc must leave it alone.
func TestGCSegment(t *testing.T) {
	is := is.New(t)
	const script = `mount -t tmpfs tmpfs /dev/shm || exit 9
		dead=$($0 shm create --size 4096) && kept=$($0 shm create --size 4096 --name kept) || exit 1
		$0 ls --kind shm --json
		$0 gc --yes --kind shm --older-than 0 2> /dev/null || exit 2
		$0 shm read $kept > /dev/null || exit 3
		$0 shm read $dead > /dev/null 2>&1; echo "read: $?"`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, binary)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); err != nil && (code == 9 || strings.Contains(string(out), "unshare")) {
		t.Skipf("no mount namespace of its own: %s", out)
	}
	is.NoErr(err)
	proven := regexp.MustCompile(`"name":"psm_[0-9a-f]{8}".*"state":"orphan"`).Match(out)
	is.Equal(strings.Contains(string(out), "removed"), proven)
	is.Equal(strings.Contains(string(out), "read: 3"), proven)
	is.Equal(strings.Contains(string(out), "read: 0"), !proven)
}
