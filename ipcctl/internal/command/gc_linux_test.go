//go:build !ipcportable

package command_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	stopped, killed := filepath.Join(dir, "stopped"), filepath.Join(dir, "killed")
	for path, end := range map[string]syscall.Signal{stopped: syscall.SIGSTOP, killed: syscall.SIGKILL} {
		b := start(t, "listening", "socket", "serve", path)
		b.cmd.Process.Signal(end)
		if end == syscall.SIGKILL {
			b.status(t)
		}
		mine[path] = end == syscall.SIGKILL
	}
	if os.Getuid() == 0 { // somebody else's, dead and alive
		for _, name := range []string{"theirs-live", "theirs-dead"} {
			l := listen(name)
			is.NoErr(os.Lchown(filepath.Join(dir, name), 65534, 65534))
			if mine[filepath.Join(dir, name)] = name == "theirs-dead"; name == "theirs-dead" {
				l.Close()
			} else {
				defer l.Close()
			}
		}
		theirs, theirsHeld := segment(""), segment("")
		defer theirsHeld.Close()
		theirs.Close()
		for _, r := range []*shm.Region{theirs, theirsHeld} {
			is.NoErr(os.Chown("/dev/shm/"+r.Name(), 65534, 65534))
		}
		mine[theirs.Name()], mine[theirsHeld.Name()] = true, false
	}
	unlinked := segment("") // in memory, out of reach: nothing is left to remove
	defer unlinked.Close()
	is.NoErr(os.Remove("/dev/shm/" + unlinked.Name()))
	is.NoErr(mkfifo(filepath.Join(dir, "fifo"), 0o600))
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
	for _, o := range conforms(t, "ipcctl ls", must(t, "", "ls", "--kind", "shm", "--json")) {
		if strings.HasPrefix(o["name"].(string), unlinked.Name()) {
			is.Equal(o["state"], "orphan")
			is.True(usedBy(o, os.Getpid()))
		}
	}

	// Dry, then too young, then in earnest. Only sockets are removed in
	// earnest: other tests' segments would go too.
	objects := conforms(t, "ipcctl gc", must(t, "", "gc", "--json", "--older-than", "0", dir))
	for _, o := range objects {
		is.True(!strings.HasPrefix(o["name"].(string), unlinked.Name()))
	}
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
	golden(t, "gc.socket.txt", ofDir(out, filepath.Join(dir, "stale")), dir, "DIR")
	for name, removed := range mine {
		if removed && filepath.IsAbs(name) == exists(name) {
			t.Errorf("%s: exists %t", name, exists(name))
		}
		if !removed {
			is.True(exists(name))
		}
	}
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

// TestGCSegment buries segments in earnest, in shared memory that is this
// test's alone: beside ones that are mapped by a process that lives, one that
// is stopped and one in another pid namespace, whom nobody can see.
func TestGCSegment(t *testing.T) {
	is := is.New(t)
	const script = `mount -t tmpfs tmpfs /dev/shm || exit 9
		dead=$($0 shm create --size 4096) && kept=$($0 shm create --size 4096 --name kept) || exit 1
		live=$($0 shm create --size 4096) stopped=$($0 shm create --size 4096) unseen=$($0 shm create --size 4096)
		half=.ipc-new-psm_0123abcd making=.ipc-new-psm_0123abce # as where O_TMPFILE is missing
		echo > /dev/shm/$half && echo > /dev/shm/$making || exit 1
		exec 4< /dev/shm/$live 5< /dev/shm/$stopped 6< /dev/shm/$unseen 7< /dev/shm/$making # so that no moment is without a user
		sleep 60 5<&- 6<&- & a=$!
		sleep 60 4<&- 6<&- 7<&- & b=$!; kill -STOP $b
		sleep 60 4<&- 5<&- 7<&- & c=$!
		exec 4<&- 5<&- 6<&- 7<&-
		# The gc that is run can't see the processes outside its namespace.
		unshare --pid --fork --mount-proc $0 gc --yes --kind shm --older-than 0 > out 2>&1 || exit 2
		cat out; ls -A /dev/shm | sort > left
		kill -KILL $a $b $c; wait
		for name in $kept $live $stopped $unseen $making; do echo $name; done | sort | cmp - left || exit 3
		grep -q "removed.*$dead" out && grep -q "removed.*$half" out || exit 4
		$0 gc --yes --kind shm --older-than 0 || exit 5
		ls -A /dev/shm | tr -d '\n'`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, binary)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); err != nil && (code == 9 || strings.Contains(string(out), "unshare")) {
		t.Skipf("no namespaces of its own: %s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	is.True(strings.HasSuffix(string(out), "\nkept")) // the users ended, and with them all but the chosen name
}

// TestGCInterrupted: one interrupt ends the removal too, and what is gone by then is told.
func TestGCInterrupted(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	const many = 1000
	for i := range many {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, strconv.Itoa(i)), Net: "unix"})
		is.NoErr(err)
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	left := func() (n int) {
		entries, err := os.ReadDir(dir)
		is.NoErr(err)
		for _, e := range entries {
			if e.Type() == os.ModeSocket {
				n++
			}
		}
		return n
	}
	b := start(t, "", "gc", "--yes", "--json", "--kind=socket", "--older-than=0", dir)
	for left() == many {
		is.NoErr(t.Context().Err())
	}
	is.NoErr(b.cmd.Process.Signal(os.Interrupt))
	removed := 0
	for line := range b.lines {
		if o := conforms(t, "ipcctl gc", line)[0]; o["action"] == "removed" && filepath.Dir(o["name"].(string)) == dir {
			removed++
		}
	}
	is.Equal(b.status(t), -1)
	is.True(removed > 0 && removed < many)
	is.Equal(left(), many-removed)
}

// TestGCForeignLock has a dead socket beside a lock file of the program that made it, as
// mysqld's: that may be about to come back. It is kept, and gc says why.
func TestGCForeignLock(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "mysqld.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	is.NoErr(err)
	l.SetUnlinkOnClose(false)
	l.Close()
	is.NoErr(os.WriteFile(path+".lock", []byte("4711\n"), 0o600))
	r := finish(t, command(t, "gc", "--yes", "--json", "--kind=socket", "--older-than=0", dir))
	o := find(conforms(t, "ipcctl gc", r.out), path)
	is.Equal(o["action"], "kept")
	is.True(strings.Contains(o["why"].(string), "another program's"))
	_, err = os.Lstat(path)
	is.NoErr(err)
	is.NoErr(os.Remove(path + ".lock"))
	r = finish(t, command(t, "gc", "--yes", "--json", "--kind=socket", "--older-than=0", dir))
	is.Equal(find(conforms(t, "ipcctl gc", r.out), path)["action"], "removed")
}
