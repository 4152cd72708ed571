package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// examine runs every check. None of them changes anything.
func examine() []finding {
	checks := []func() finding{
		checkKernel, checkShmSpace, checkShmFeatures, checkMemfd, checkFutexWaitv, checkPidfd, checkPeerPidfd,
		checkDescriptors, checkBacklog, checkDatagrams, checkMqueue, checkRemoveIPC, checkHidepid, checkYama,
		checkContainer, checkPython,
	}
	var out []finding
	for _, check := range checks {
		out = append(out, check())
	}
	return out
}

func checkKernel() finding {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return note("kernel", "", "not known: %v", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	fmt.Sscanf(release, "%d.%d", &major, &minor)
	if major < 5 || major == 5 && minor < 6 {
		return note("kernel", "upgrade to Linux 5.6 or newer", "Linux %s: older than the identity and locking calls used here", release)
	}
	return ok("kernel", "Linux %s", release)
}

func checkShmSpace() finding {
	const check = "/dev/shm space"
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil {
		return bad(check, "mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm", "no /dev/shm: %v", err)
	}
	const tmpfs = 0x01021994
	if int64(st.Type) != tmpfs {
		return bad(check, "mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm", "/dev/shm is no tmpfs: shared memory would go to a disk")
	}
	total, free := int64(st.Blocks)*int64(st.Bsize), int64(st.Bavail)*int64(st.Bsize)
	found := fmt.Sprintf("%s of %s used", formatSize(total-free), formatSize(total))
	switch {
	case total == 0:
		return ok(check, "no limit of its own")
	case free < total/20:
		return bad(check, "ipcctl gc; mount -o remount,size="+formatMount(2*total)+" /dev/shm", "%s: nearly full", found)
	case free < total/5:
		return note(check, "ipcctl gc", "%s", found)
	case total <= 64<<20:
		return note(check, "mount -o remount,size=1g /dev/shm, or docker run --shm-size=1g", "%s: a container's small default", found)
	}
	return ok(check, "%s", found)
}

func formatMount(n int64) string { return strconv.FormatInt(n>>20, 10) + "m" }

// checkShmFeatures makes a file without a name, reserves a page and locks it.
func checkShmFeatures() finding {
	const check = "/dev/shm features"
	fd, err := unix.Open("/dev/shm", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
		return bad(check, "chmod 1777 /dev/shm", "can't make files in /dev/shm: %v", err)
	}
	if err != nil { // they get one that gc knows
		return note(check, "", "no files without a name (O_TMPFILE): %v; what a killed process was making stays until ipcctl gc", err)
	}
	defer unix.Close(fd)
	if err := unix.Fallocate(fd, 0, 0, 4096); err != nil {
		return bad(check, "", "space can't be reserved (fallocate): %v", err)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 1 << 40, Len: 1}
	if err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock); err != nil {
		return note(check, "", "no locks of open files (F_OFD_SETLK): %v; flock(2) stands in for them", err)
	}
	return ok(check, "O_TMPFILE, fallocate and OFD locks work")
}

func checkMemfd() finding {
	fd, err := unix.MemfdCreate("ipcctl-doctor", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return note("memfd and seals", "", "not available: %v", err)
	}
	defer unix.Close(fd)
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK); err != nil {
		return note("memfd and seals", "", "no seals: %v", err)
	}
	return ok("memfd and seals", "work")
}

func checkFutexWaitv() finding {
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX_WAITV, 0, 0, 0, 0, 0, 0)
	if errno == unix.ENOSYS || errno == unix.EPERM {
		return note("futex_waitv", "Linux 5.16 or newer, and a container profile that allows it", "not available (%v): cancelling a wait takes a little longer", errno)
	}
	return ok("futex_waitv", "works")
}

func checkPidfd() finding {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return note("pidfd", "Linux 5.3 or newer, and a container profile that allows it", "not available: %v", err)
	}
	unix.Close(fd)
	return ok("pidfd", "works")
}

func checkPeerPidfd() finding {
	const check, soPeerPidfd = "SO_PEERPIDFD", 77
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return bad(check, "", "no Unix sockets: %v", err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	fd, err := unix.GetsockoptInt(fds[0], unix.SOL_SOCKET, soPeerPidfd)
	if err != nil {
		return note(check, "Linux 6.5 or newer", "not available: a peer's pid is checked by its start time instead")
	}
	unix.Close(fd)
	return ok(check, "works: a peer's identity is safe from pid reuse")
}

func checkDescriptors() finding {
	const check = "descriptors"
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return note(check, "", "not known: %v", err)
	}
	found := fmt.Sprintf("%s, at most %s", formatCount(uint64(lim.Cur)), formatCount(uint64(lim.Max)))
	if lim.Max < 4096 {
		return note(check, "LimitNOFILE= in the service, or /etc/security/limits.conf", "%s: few for a server", found)
	}
	return ok(check, "%s", found)
}

func checkBacklog() finding {
	n := sysctl("net/core/somaxconn")
	if n >= 0 && n < 1024 {
		return note("somaxconn", "sysctl -w net.core.somaxconn=4096", "a listener queues at most %d connections", n)
	}
	return known("somaxconn", n, "a listener queues up to %s connections")
}

func checkDatagrams() finding {
	return known("max_dgram_qlen", sysctl("net/unix/max_dgram_qlen"), "a datagram socket queues %s messages")
}

func checkMqueue() finding {
	const check = "POSIX queues"
	max, size, queues := sysctl("fs/mqueue/msg_max"), sysctl("fs/mqueue/msgsize_max"), sysctl("fs/mqueue/queues_max")
	if max < 0 {
		return note(check, "", "this kernel has none; ours don't need them")
	}
	if mqueuesHidden() {
		return note(check, mendMqueues, "%d messages of %s, %d queues; not mounted, so ls can't list them", max, formatSize(size), queues)
	}
	return ok(check, "%d messages of %s, %d queues (ours don't count)", max, formatSize(size), queues)
}

// sysctl reads a number below /proc/sys, -1 if there is none.
func sysctl(name string) int64 {
	text, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return -1
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func known(check string, n int64, format string) finding {
	if n < 0 {
		return note(check, "", "not known: /proc/sys doesn't say")
	}
	return ok(check, format, formatCount(n))
}

// checkRemoveIPC reads logind.conf(5): unless told not to, logind removes a
// user's objects from /dev/shm when the last session of that user ends.
func checkRemoveIPC() finding {
	const check = "RemoveIPC"
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return ok(check, "no systemd: nothing is removed at logout")
	}
	files := []string{"/etc/systemd/logind.conf"}
	for _, dir := range []string{"/usr/lib", "/run", "/etc"} {
		more, _ := filepath.Glob(dir + "/systemd/logind.conf.d/*.conf")
		files = append(files, more...)
	}
	for _, f := range files {
		text, _ := os.ReadFile(f)
		for _, line := range strings.Split(string(text), "\n") {
			if key, value, is := strings.Cut(strings.TrimSpace(line), "="); is && key == "RemoveIPC" {
				switch strings.ToLower(strings.TrimSpace(value)) {
				case "no", "0", "false", "off":
					return ok(check, "off in %s", f)
				}
			}
		}
	}
	if os.Getuid() < 1000 {
		return ok(check, "on, but it spares system users such as this one")
	}
	return note(check, "loginctl enable-linger, or RemoveIPC=no in /etc/systemd/logind.conf",
		"on: your segments and queues vanish when your last session ends")
}

func checkHidepid() finding {
	text, _ := os.ReadFile("/proc/self/mounts")
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if os.Getuid() != 0 && len(f) > 3 && f[1] == "/proc" && strings.Contains(f[3], "hidepid=") && !strings.Contains(f[3], "hidepid=0") {
			return note("/proc", "run ipcctl as root to see every user of an object", "other users' processes are hidden (hidepid)")
		}
	}
	if os.Getuid() != 0 {
		return ok("/proc", "readable; the descriptors of other users' processes only for root")
	}
	return ok("/proc", "readable")
}

func checkYama() finding {
	switch n := sysctl("kernel/yama/ptrace_scope"); {
	case n < 0:
		return ok("ptrace", "not restricted")
	case n <= 1:
		return ok("ptrace", "scope %d: nothing here needs more", n)
	default:
		return note("ptrace", "sysctl -w kernel.yama.ptrace_scope=1", "scope %d: debuggers can't attach", n)
	}
}

func checkContainer() finding {
	const check = "container"
	if _, err := os.Stat("/.dockerenv"); err == nil {
		return note(check, "docker run --ipc=host or --ipc=container:NAME shares /dev/shm", "docker: /dev/shm and abstract sockets are this container's own")
	}
	if _, err := os.Stat("/run/.containerenv"); err == nil {
		return note(check, "podman run --ipc=host shares /dev/shm", "podman: /dev/shm and abstract sockets are this container's own")
	}
	if env, err := os.ReadFile("/proc/1/environ"); err == nil && bytes.Contains(env, []byte("container=")) {
		return note(check, "share /dev/shm with whom it should talk to", "in a container: /dev/shm may be its own")
	}
	return ok(check, "none seen")
}

// checkPython asks the interpreter on PATH for its version: before 3.13, its
// resource tracker removes every segment that it attached to.
func checkPython() finding {
	const check = "python3"
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "python3", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])").Output()
	if err != nil {
		return ok(check, "none on PATH, none needed")
	}
	text := strings.TrimSpace(string(out))
	var major, minor int
	fmt.Sscanf(text, "%d.%d", &major, &minor)
	if major == 3 && minor < 13 {
		return note(check, "lend it segments by an alias, or use Python 3.13 with track=False",
			"%s: it removes every segment that it merely attached to when it exits", text)
	}
	return ok(check, "%s: SharedMemory(track=False) attaches without removing", text)
}
