package command

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/shm"
)

// object is one thing that processes talk through, as ls shows it.
type object struct {
	Kind        string         `json:"kind"`
	Name        string         `json:"name"`
	Owner       string         `json:"owner"`
	UID         int            `json:"uid"` // -1 if unknown
	Mode        string         `json:"mode"`
	Size        int64          `json:"size"`
	Key         string         `json:"key,omitempty"` // of System V IPC
	Connections int            `json:"connections,omitempty"`
	Waiting     *int           `json:"waiting,omitempty"` // messages in a queue, if they can be counted
	Created     time.Time      `json:"created,omitzero"`
	Users       []host.Process `json:"users"`
	State       string         `json:"state"`
	Why         string         `json:"why"`

	named bool // of a segment: it can be opened by its name
}

// The states of an object.
const (
	live   = "live"   // a process uses it now
	idle   = "idle"   // whole and usable, nobody uses it now
	orphan = "orphan" // in use or in memory, but nobody can reach it any more
	stale  = "stale"  // what is left of something that ended: of no use to anybody
)

// kinds lists what survey knows, in the order of its output.
var kinds = []string{"shm", "queue", "socket", "fifo", "mqueue", "sysv-shm", "sysv-sem", "sysv-msg"}

// view is what survey has read before it looks at single objects.
type view struct {
	folders []string // where sockets and FIFOs are looked for
	users   host.Users
	sockets []host.UnixSocket
	owners  map[uint32]string

	segments []shm.Info // queues among them
}

// survey lists the objects of that kind, or of all kinds if it is empty.
// Sockets that listen are found wherever they are; socket files that nobody
// listens on, and FIFOs, in the folders: the user's runtime folder, the
// temporary folder, and those named.
func survey(kind string, folders []string) ([]object, error) {
	v := view{folders: lookFolders(folders), owners: userNames()}
	// Package shm looks into every process by itself, so both look at once.
	var (
		listed   sync.WaitGroup
		shmError error
	)
	if kind == "" || kind == "shm" || kind == "queue" {
		listed.Go(func() { v.segments, shmError = shm.List() })
	}
	var err error
	if kind != "queue" {
		v.users, err = host.Processes(append([]string{shmFolder, mqueueFolder}, withTargets(v.folders)...)...)
	}
	listed.Wait()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	if shmError != nil {
		return nil, shmError
	}
	if v.sockets, err = host.UnixSockets(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	var all []object
	for _, k := range kinds {
		if kind != "" && kind != k {
			continue
		}
		some, err := v.list(k)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(some, func(a, b object) int { return cmp.Compare(a.Name, b.Name) })
		all = append(all, some...)
	}
	return all, nil
}

// survey is survey for a person: it wants the folders to be there. Beside thousands of
// processes it takes its time.
func (c *call) survey(kind string, folders []string) ([]object, error) {
	for _, f := range folders {
		if info, err := os.Stat(f); err != nil {
			return nil, err
		} else if !info.IsDir() {
			return nil, usagef("%s is no folder", f)
		}
	}
	return looking(c, func() ([]object, error) { return survey(kind, folders) })
}

// looking shows a person that a look at the whole host goes on, and ends with the verb.
func looking[T any](c *call, look func() (T, error)) (T, error) {
	p := c.progress("looking at every process", 0)
	defer p.clear()
	var (
		seen, none T
		err        error
		done       = make(chan struct{})
	)
	go func() {
		defer close(done)
		seen, err = look()
	}()
	select {
	case <-done:
		return seen, err
	case <-c.ctx.Done(): // it only looks, so nothing has to be put in order
		return none, c.ctx.Err()
	}
}

func (v *view) list(kind string) ([]object, error) {
	switch kind {
	case "shm":
		return v.listSegments()
	case "queue":
		return v.listQueues()
	case "socket":
		return v.listSockets()
	case "fifo":
		return v.listFIFOs()
	case "mqueue":
		return v.listMessageQueues()
	}
	if sysv, ok := strings.CutPrefix(kind, "sysv-"); ok {
		return v.listSysV(sysv)
	}
	return nil, nil
}

// shmFolder is where Linux keeps segments.
const shmFolder = "/dev/shm"

// queuePrefix stands before a queue's name in shared memory.
const queuePrefix = "ipcq."

func (v *view) listSegments() ([]object, error) {
	var out []object
	for _, i := range v.segments {
		if !strings.HasPrefix(i.Name, queuePrefix) {
			out = append(out, v.segment(i))
		}
	}
	ours, err := host.ID(shmFolder)
	for id, gone := range v.users.Unlinked {
		// Another container's /dev/shm has the same path: it is none of ours.
		if err != nil || id.Dev != ours.Dev || !strings.HasPrefix(gone.Path, shmFolder+"/") {
			continue
		}
		users := v.users.Files[id]
		out = append(out, object{
			Kind: "shm", Name: strings.TrimPrefix(gone.Path, shmFolder+"/") + " (deleted)", Size: gone.Size, UID: int(users[0].UID), Owner: v.owner(users[0].UID),
			Users: users, State: orphan, Why: fmt.Sprintf("its name is gone, and %s still has its memory", join(users)),
		})
	}
	return out, nil
}

// segment describes a segment as package shm sees it.
func (v *view) segment(i shm.Info) object {
	o := object{
		Kind: "shm", Name: i.Name, Size: i.Size, UID: int(i.UID), Owner: v.owner(i.UID), Mode: fmt.Sprintf("%04o", i.Mode),
		Created: i.Created, State: i.State.String(), named: true,
	}
	for _, u := range i.Users {
		o.Users = append(o.Users, host.Process{PID: u.PID, Command: u.Name, UID: u.UID})
	}
	switch {
	case i.State == shm.Live && len(o.Users) > 0:
		o.Why = join(o.Users) + " has it in memory or open"
	case i.State == shm.Live:
		o.Why = "a process that can't be seen from here holds its lock"
	case i.State == shm.Orphan:
		o.Why = "its name was generated for a process, and no process on this host uses it"
	case i.Hidden > 0:
		o.Why = fmt.Sprintf("no process that we may look into uses it (%d hidden from us)", i.Hidden)
	default:
		o.Why = "no process uses it; whoever chose its name may come back"
	}
	return o
}

func (v *view) listQueues() ([]object, error) {
	var out []object
	for _, i := range v.segments {
		name, ok := strings.CutPrefix(i.Name, queuePrefix)
		if !ok {
			continue
		}
		o := v.segment(i)
		o.Kind, o.Name = "queue", name
		if r, err := queue.OpenReader(name); err == nil {
			if s, err := r.Stats(); err == nil {
				n := s.Len
				o.Waiting = &n
			}
			r.Close()
		}
		out = append(out, o)
	}
	return out, nil
}

// lookFolders returns the folders that hold sockets and FIFOs, each once.
func lookFolders(named []string) []string {
	var out []string
	for _, f := range append([]string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()}, named...) {
		if f == "" {
			continue
		}
		if abs, err := filepath.Abs(f); err == nil && !slices.Contains(out, abs) {
			out = append(out, abs)
		}
	}
	return out
}

// withTargets adds where folders lie that are symbolic links, or below one: the kernel
// knows an open file by its real path.
func withTargets(folders []string) []string {
	out := slices.Clone(folders)
	for _, f := range folders {
		if target, err := filepath.EvalSymlinks(f); err == nil && target != f {
			out = append(out, target)
		}
	}
	return out
}

// dirOf returns the folder of a path, "" for a name without one.
func dirOf(name string) string {
	if !strings.Contains(name, "/") || name[0] == '@' {
		return ""
	}
	return filepath.Dir(name)
}

// files calls visit for every file of that type directly in the folders.
func (v *view) files(kind fs.FileMode, visit func(path string, info fs.FileInfo)) {
	for _, folder := range v.folders {
		entries, _ := os.ReadDir(folder) // what can't be read holds nothing of ours
		for _, e := range entries {
			if e.Type() != kind {
				continue
			}
			if info, err := e.Info(); err == nil {
				visit(filepath.Join(folder, e.Name()), info)
			}
		}
	}
}

func (v *view) listSockets() ([]object, error) {
	var out []object
	seen, files := map[string]bool{}, map[host.FileID]object{}
	connected := map[string]int{}
	for _, s := range v.sockets {
		if s.Connected && s.Path != "" {
			connected[s.Path]++
		}
	}
	for _, s := range v.sockets {
		if !s.Listening || seen[s.Path] {
			continue
		}
		seen[s.Path] = true
		o := object{
			Kind: "socket", Name: s.Path, UID: -1, Connections: connected[s.Path], Users: v.users.Sockets[s.Inode],
			State: live, Why: "it listens, says the kernel",
		}
		info, err := os.Lstat(s.Path)
		switch {
		case strings.HasPrefix(s.Path, "@"):
			o.Mode = "-" // an abstract name has no file: every process of the network namespace may connect
			if len(o.Users) > 0 {
				o.UID, o.Owner = int(o.Users[0].UID), v.owner(o.Users[0].UID)
			}
		case errors.Is(err, fs.ErrNotExist) && filepath.IsAbs(s.Path):
			o.State, o.Why = outOfSight(s.Path, o.Users)
		case err == nil && filepath.IsAbs(s.Path): // what else it is relative to nobody knows
			v.describe(&o, info)
			if id, err := host.ID(s.Path); err == nil {
				files[id] = o
			}
		}
		out = append(out, o)
	}
	v.files(fs.ModeSocket, func(path string, info fs.FileInfo) {
		if seen[path] {
			return
		}
		seen[path] = true
		o := object{Kind: "socket", Name: path, Created: info.ModTime()}
		v.describe(&o, info)
		id, err := host.ID(path)
		if same, listens := files[id]; err == nil && listens {
			o.Connections, o.Users, o.State, o.Why = same.Connections, same.Users, live, "it listens as "+same.Name+", says the kernel"
		} else {
			o.State, o.Why = v.silentSocket(path)
		}
		out = append(out, o)
	})
	return out, nil
}

// outOfSight judges a socket that listens and whose file is not here. Whoever listens may
// see another root folder, or other file systems, than this process does: in a container,
// in chroot(2), in a service with a temporary folder of its own.
func outOfSight(path string, users []host.Process) (state, why string) {
	unknown := len(users) == 0
	for _, u := range users {
		info, err := os.Lstat(host.PathFor(u.PID, path))
		switch {
		case err == nil && info.Mode().Type() == fs.ModeSocket:
			return live, "it listens, says the kernel; its file is where " + u.String() + " sees it, and not here"
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			unknown = true
		}
	}
	if unknown {
		return live, "it listens, says the kernel; its file is not here: it is gone, or only others see it"
	}
	return orphan, "it listens, but its file is gone: nobody can connect to it"
}

// silentSocket judges a socket file that no listening socket of the kernel's
// table is bound to. Datagram sockets never listen, and a listener may sit in
// another network namespace: only a refused connection proves that nobody is
// behind the file.
func (v *view) silentSocket(path string) (state, why string) {
	namesake, listener := false, "its listener is not in this network namespace"
	for _, s := range v.sockets {
		switch {
		case s.Connected:
		case s.Path == path:
			return live, "a " + s.Type + " socket is bound to it"
		case filepath.Base(s.Path) != filepath.Base(path): // by whatever path it was bound
		case s.Listening:
			listener = "perhaps of the one that listens as " + s.Path
		default:
			namesake = true // its path may be relative, or of another mount namespace
		}
	}
	err := probe(path)
	switch {
	case err == nil:
		return live, "it accepts connections (" + listener + ")"
	case errors.Is(err, syscall.ECONNREFUSED) && namesake:
		return idle, "a connection is refused, but a socket of that name is bound somewhere and doesn't listen: perhaps here"
	case errors.Is(err, syscall.ECONNREFUSED):
		return stale, "a connection is refused: nobody is bound to this file"
	case errors.Is(err, syscall.EPROTOTYPE):
		return live, "a socket of another type is bound to it"
	}
	return idle, "not known: " + err.Error()
}

func (v *view) listFIFOs() ([]object, error) {
	var out []object
	v.files(fs.ModeNamedPipe, func(path string, info fs.FileInfo) {
		o := object{Kind: "fifo", Name: path}
		v.describe(&o, info)
		if id, err := host.ID(path); err == nil {
			o.Users = v.users.Files[id]
		}
		v.judge(&o, "it")
		out = append(out, o)
	})
	return out, nil
}

// judge sets the state of an object that lives by its users alone.
func (v *view) judge(o *object, what string) {
	switch {
	case len(o.Users) > 0:
		o.State, o.Why = live, fmt.Sprintf("%s has %s open", join(o.Users), what)
	case v.users.Hidden > 0:
		o.State, o.Why = idle, fmt.Sprintf("no process that we may look into has %s open (%d hidden from us)", what, v.users.Hidden)
	default:
		o.State, o.Why = idle, "no process has "+what+" open"
	}
}

// describe fills in what the file itself says.
func (v *view) describe(o *object, info fs.FileInfo) {
	o.Mode = fmt.Sprintf("%04o", info.Mode().Perm())
	o.Size = info.Size()
	o.UID = -1
	if uid, ok := ownerOf(info); ok {
		o.UID, o.Owner = int(uid), v.owner(uid)
	}
}

// userNames reads the users of /etc/passwd, passwd(5). The standard library's
// os/user would link the C library in.
func userNames() map[uint32]string {
	names := map[uint32]string{}
	text, _ := os.ReadFile("/etc/passwd")
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Split(line, ":")
		if len(f) < 3 {
			continue
		}
		uid, err := strconv.ParseUint(f[2], 10, 32)
		if _, known := names[uint32(uid)]; err == nil && !known {
			names[uint32(uid)] = f[0]
		}
	}
	return names
}

// owner returns the name of a user, or the number of one without a name.
func (v *view) owner(uid uint32) string {
	if name, ok := v.owners[uid]; ok {
		return name
	}
	return strconv.FormatUint(uint64(uid), 10)
}

// join writes processes as "worker(12), worker(13)".
func join(ps []host.Process) string {
	var names []string
	for _, p := range ps {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}
