//go:build !ipcportable

package command_test

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

func TestListSegmentsAndQueues(t *testing.T) {
	is := is.New(t)
	held, err := shm.Create(segmentName(t), 5000, &shm.Options{Mode: 0o640})
	is.NoErr(err)
	defer held.Close()
	unlinked, err := shm.Create(segmentName(t), 5000, nil)
	is.NoErr(err)
	defer unlinked.Close()
	is.NoErr(shm.Remove(unlinked.Name()))
	q := newQueue(t)
	must(t, "", "queue", "put", q, "a", "b")

	objects := conforms(t, "ipcctl ls", must(t, "", "ls", "--json"))
	o := find(objects, held.Name())
	is.Equal(o["kind"], "shm")
	is.Equal(o["state"], "live")
	is.Equal(o["size"], 5000.0)
	is.Equal(o["mode"], "0640")
	is.True(usedBy(o, os.Getpid()))
	is.True(slices.ContainsFunc(objects, func(o map[string]any) bool { // in memory, which has a size, and out of reach
		return o["kind"] == "shm" && o["state"] == "orphan" && strings.HasSuffix(o["name"].(string), "(deleted)") && usedBy(o, os.Getpid()) &&
			o["size"] == 5000.0
	}))
	o = find(objects, q)
	is.Equal(o["kind"], "queue")
	is.Equal(o["state"], "idle")
	is.Equal(o["waiting"], 2.0)
	is.Equal(find(objects, "ipcq."+q), nil) // a queue is not a segment too

	only := conforms(t, "ipcctl ls", must(t, "", "ls", "--json", "--kind=queue"))
	for _, o := range only {
		is.Equal(o["kind"], "queue")
	}
	is.True(strings.Contains(must(t, "", "ls", "--kind", "shm"), held.Name()))
}

// TestShmWatchMadeAnew: a segment of the same name is another one.
func TestShmWatchMadeAnew(t *testing.T) {
	is := is.New(t)
	name := segmentName(t)
	must(t, "", "shm", "create", "--size", "4096", "--name", name)
	b := start(t, "watching "+name, "shm", "watch", name, "--interval", "5ms")
	is.NoErr(b.cmd.Process.Signal(syscall.SIGSTOP))
	must(t, "", "shm", "rm", name)
	must(t, "", "shm", "create", "--size", "4096", "--name", name)
	is.NoErr(b.cmd.Process.Signal(syscall.SIGCONT))
	is.Equal(next(t, b.errs), name+" was removed")
	is.Equal(b.status(t), 0)
}

// TestStatOfOtherNamespace: the pid that a process of another pid namespace has given is
// not taken for the process of this one that has the same, here the test.
func TestStatOfOtherNamespace(t *testing.T) {
	is := is.New(t)
	name, pid := newQueue(t), strconv.Itoa(os.Getpid())
	must(t, "", "queue", "put", name, "a")
	const script = `echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid && shift && { "$@" & wait; }`
	line := []string{"--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script, "sh", pid}
	if out, err := exec.Command("unshare", append(line[:len(line):len(line)], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no pid namespace of its own: %v: %s", err, out)
	}
	cmd := command(t, "queue", "get", name, "--count", "2")
	cmd.Args = append(append([]string{"unshare"}, line...), cmd.Args...)
	cmd.Path, cmd.Err = exec.LookPath("unshare")
	get := launch(t, "", cmd)
	is.Equal(next(t, get.lines), "a")
	is.True(strings.Contains(must(t, "", "queue", "stat", name), pid+" (of another pid namespace) attached"))
}

// TestQueueCreateRoom: what a queue needs is known before any of it is reserved, also where
// --memory doesn't say it. The shared memory is this test's own, and small.
func TestQueueCreateRoom(t *testing.T) {
	is := is.New(t)
	const script = `mount -t tmpfs -o size=64m tmpfs /dev/shm || exit 9
		$0 queue create fits --max-message 1MiB --max-attempts 3 || exit 1
		for flags in "--max-message 64MiB" "--capacity 100000 --max-message 2KiB" "--memory 65MiB"; do
			$0 queue create big $flags && exit 2
		done
		ls -A /dev/shm`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, binary)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); err != nil && (code == 9 || strings.Contains(string(out), "unshare")) {
		t.Skipf("no shared memory of its own: %s", out)
	}
	is.NoErr(err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	is.Equal(len(lines), 6)
	for _, l := range lines[1:4] {
		if !strings.Contains(l, "there is room for") || !strings.Contains(l, "ipcctl doctor") {
			t.Errorf("not refused for want of room: %s", l)
		}
	}
	is.Equal(lines[4:], []string{"ipcq.fits", "ipcq.fits.dead"}) // and nothing else
}
