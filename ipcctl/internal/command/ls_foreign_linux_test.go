package command_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// TestListSysV has one object of each kind of System V IPC.
func TestListSysV(t *testing.T) {
	is := is.New(t)
	segment, err := unix.SysvShmGet(unix.IPC_PRIVATE, 5000, unix.IPC_CREAT|0o640)
	if err == unix.ENOSYS {
		t.Skip("no System V IPC in this kernel")
	}
	is.NoErr(err)
	t.Cleanup(func() { unix.SysvShmCtl(segment, unix.IPC_RMID, nil) })
	get := func(trap uintptr, args ...uintptr) string {
		id, _, errno := unix.Syscall(trap, unix.IPC_PRIVATE, args[0], args[1])
		is.Equal(errno, unix.Errno(0))
		return strconv.Itoa(int(id))
	}
	messages := get(unix.SYS_MSGGET, unix.IPC_CREAT|0o600, 0)
	semaphores := get(unix.SYS_SEMGET, 3, unix.IPC_CREAT|0o600)
	t.Cleanup(func() {
		for trap, name := range map[uintptr]string{unix.SYS_MSGCTL: messages, unix.SYS_SEMCTL: semaphores} {
			id, _ := strconv.Atoi(name)
			if trap == unix.SYS_SEMCTL {
				unix.Syscall6(trap, uintptr(id), 0, unix.IPC_RMID, 0, 0, 0)
			} else {
				unix.Syscall(trap, uintptr(id), unix.IPC_RMID, 0)
			}
		}
	})
	one := func(kind, name string) map[string]any {
		o := find(conforms(t, "ipcctl ls", must(t, "", "ls", "--json", "--kind", kind)), name)
		if o == nil {
			t.Fatalf("no %s %s", kind, name)
		}
		is.Equal(o["kind"], kind)
		is.Equal(o["key"], "0x00000000")
		return o
	}

	name := strconv.Itoa(segment)
	o := one("sysv-shm", name)
	is.Equal(o["state"], "idle")
	is.Equal(o["size"], 5000.0)
	is.Equal(o["mode"], "0640")
	is.True(strings.Contains(o["why"].(string), "who has its ID may be")) // its creator's death would prove nothing
	mem, err := unix.SysvShmAttach(segment, 0, 0)
	is.NoErr(err)
	o = one("sysv-shm", name)
	is.Equal(o["state"], "live")
	is.True(usedBy(o, os.Getpid()))
	_, err = unix.SysvShmCtl(segment, unix.IPC_RMID, nil)
	is.NoErr(err)
	is.Equal(one("sysv-shm", name)["state"], "orphan") // marked for removal
	is.NoErr(unix.SysvShmDetach(mem))
	is.True(!strings.Contains(must(t, "", "ls", "--json", "--kind", "sysv-shm"), `"name":"`+name+`"`)) // and now removed

	o = one("sysv-msg", messages)
	is.Equal(o["waiting"], 0.0)
	is.Equal(o["state"], "idle")
	is.True(strings.Contains(one("sysv-sem", semaphores)["why"].(string), "3 semaphores"))
	is.True(strings.Contains(must(t, "", "ls", "--kind", "sysv-sem", "--why"), "3 semaphores"))

	is.True(!strings.Contains(must(t, "", "gc", "--json", "--older-than", "0"), `"kind":"sysv`)) // their users may come back
}

// TestListSysVOfOthers: another IPC namespace has segments of the same IDs, and its processes
// do not use ours.
func TestListSysVOfOthers(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	const attach = `import ctypes, os, sys
c = ctypes.CDLL(None)
c.shmat.restype = ctypes.c_void_p
c.shmat(c.shmget(0, 5000, 0o1600), None, 0)
print(os.getpid(), flush=True)
sys.stdin.read()`
	// Both namespaces are new, so both have the segment 0.
	cmd := exec.Command("unshare", "--ipc", python(t), "-c", `
import os, subprocess, sys
def attached(*prefix):
    p = subprocess.Popen([*prefix, sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return p, int(p.stdout.readline())
(a, ours), (b, theirs) = attached(), attached('unshare', '--ipc')
print(ours, theirs, flush=True)
subprocess.run([sys.argv[2], 'ls', '--kind', 'sysv-shm', '--json'])
for p in a, b:
    p.communicate()
`, attach, binary)
	text, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(string(text), "unshare") {
		t.Skipf("no namespaces of its own: %s", text)
	}
	is.NoErr(err)
	pids, out, _ := strings.Cut(string(text), "\n")
	var ours, theirs int
	_, err = fmt.Sscan(pids, &ours, &theirs)
	is.NoErr(err)
	objects := conforms(t, "ipcctl ls", out)
	is.Equal(len(objects), 1)
	is.True(usedBy(objects[0], ours))
	is.True(!usedBy(objects[0], theirs))
}

// TestListMessageQueues mounts the file system of POSIX message queues where
// only the script and its children see it.
func TestListMessageQueues(t *testing.T) {
	is := is.New(t)
	const script = `mount -t tmpfs tmpfs /dev && mkdir /dev/mqueue /dev/shm || exit 9
		$0 ls --kind mqueue 2>&1
		mount -t mqueue none /dev/mqueue || exit 9
		: > /dev/mqueue/idle-$$; exec 3<>/dev/mqueue/open-$$
		echo $$
		$0 ls --kind mqueue --json
		rm /dev/mqueue/*-$$`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, binary)
	text, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); err != nil && (code == 9 || strings.Contains(string(text), "unshare")) {
		t.Skipf("no mount namespace of its own: %s", text)
	}
	is.NoErr(err)
	hint, rest, _ := strings.Cut(string(text), "\nnothing there\n")
	is.True(strings.Contains(hint, "mount -t mqueue none /dev/mqueue"))
	pid, out, _ := strings.Cut(rest, "\n")
	objects := conforms(t, "ipcctl ls", out)
	is.Equal(find(objects, "/idle-"+pid)["state"], "idle")
	o := find(objects, "/open-"+pid)
	is.Equal(o["state"], "live")
	is.Equal(o["mode"], fmt.Sprintf("%04o", 0o644))
	n, _ := strconv.Atoi(pid)
	is.True(usedBy(o, n))
}
