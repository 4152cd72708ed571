package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
)

// mqueueFolder is where Linux shows POSIX message queues, mq_overview(7), if
// somebody has mounted them there.
const mqueueFolder = "/dev/mqueue"

// mqueuesHidden says that this kernel has POSIX message queues and that none
// can be listed, because nobody has mounted their file system.
func mqueuesHidden() bool {
	if _, err := os.Stat("/proc/sys/fs/mqueue"); err != nil {
		return false
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	return err == nil && !strings.Contains(string(mounts), " "+mqueueFolder+" mqueue ")
}

// mendMqueues makes POSIX message queues visible.
const mendMqueues = "mkdir -p " + mqueueFolder + " && mount -t mqueue none " + mqueueFolder

func (v *view) listMessageQueues() ([]object, error) {
	entries, err := os.ReadDir(mqueueFolder)
	if errors.Is(err, fs.ErrNotExist) || mqueuesHidden() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []object
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // removed meanwhile
		}
		path := filepath.Join(mqueueFolder, e.Name())
		o := object{Kind: "mqueue", Name: "/" + e.Name()}
		v.describe(&o, info)
		o.Size = 0
		if text, err := os.ReadFile(path); err == nil {
			o.Size = queuedBytes(string(text))
		}
		if id, err := host.ID(path); err == nil {
			o.Users = v.users.Files[id]
		}
		v.judge(&o, "it")
		out = append(out, o)
	}
	return out, nil
}

// queuedBytes reads what a message queue's file says, mq_overview(7):
//
//	QSIZE:129     NOTIFY:2    SIGNO:0    NOTIFY_PID:8260
func queuedBytes(text string) int64 {
	for _, f := range strings.Fields(text) {
		if n, ok := strings.CutPrefix(f, "QSIZE:"); ok {
			bytes, _ := strconv.ParseInt(n, 10, 64)
			return bytes
		}
	}
	return 0
}

// listSysV lists the objects of System V IPC of that kind. Whether one is dead
// can't be proven: it outlives its users by design, and whoever knows its key
// or its ID may come back. So none of them is ever orphan or stale, but for a
// segment that is already marked for removal.
func (v *view) listSysV(kind string) ([]object, error) {
	all, err := host.SysVObjects()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	var out []object
	for _, s := range all {
		if s.Kind != kind {
			continue
		}
		o := object{
			Kind: "sysv-" + kind, Name: strconv.Itoa(s.ID), UID: int(s.UID), Owner: v.owner(s.UID), Mode: fmt.Sprintf("%04o", s.Mode),
			Size: s.Size, Key: fmt.Sprintf("0x%08x", s.Key), State: idle,
		}
		switch kind {
		case "shm":
			o.Users = v.users.SysV[s.ID]
			judgeSysVSegment(&o, s)
		case "sem":
			o.Why = fmt.Sprintf("%d semaphores; the kernel doesn't say who uses them", s.Count)
		case "msg":
			o.Waiting = &s.Count
			o.Why = fmt.Sprintf("nobody is attached to such a queue; last sender %s, last receiver %s", fate(s.LastPIDs[0]), fate(s.LastPIDs[1]))
		}
		out = append(out, o)
	}
	return out, nil
}

func judgeSysVSegment(o *object, s host.SysV) {
	attached := fmt.Sprintf("%d attached, says the kernel", s.Count)
	if len(o.Users) > 0 {
		attached += ": " + join(o.Users)
	}
	switch {
	case s.Doomed:
		o.State, o.Why = orphan, "marked for removal when the last detaches; "+attached
	case s.Count > 0:
		o.State, o.Why = live, attached
	case s.Key == 0:
		o.Why = fmt.Sprintf("nobody is attached; who has its ID may be: creator %s, last user %s", fate(s.Creator), fate(s.LastPIDs[0]))
	default:
		o.Why = fmt.Sprintf("nobody is attached; who knows its key may be: creator %s, last user %s", fate(s.Creator), fate(s.LastPIDs[0]))
	}
}

// fate says what has become of a process that a table remembers. A pid may
// have been given to another process since: it proves nothing.
func fate(pid int) string {
	switch {
	case pid == 0:
		return "none"
	case host.Running(pid):
		return host.Name(pid)
	}
	return fmt.Sprintf("%d (ended)", pid)
}
