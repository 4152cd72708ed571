package host

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// holding is one process with one thing that it holds.
type holding struct {
	file     FileID
	socket   uint64 // 0 for a file
	sysv     int    // -1 for anything but a segment of System V
	unlinked string // the former path of a file without a name
	size     int64  // of that file
	mapped   bool   // and not open: the size is that of what is mapped
}

// Processes looks into every process for open sockets and for files open or
// mapped below the given folders. A process that ends meanwhile is left out.
func Processes(folders ...string) (Users, error) {
	names, err := readDirNames("/proc")
	if err != nil {
		return Users{}, err
	}
	var pids []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			pids = append(pids, pid)
		}
	}
	for i, f := range folders {
		folders[i] = strings.TrimRight(f, "/") + "/"
	}

	u := Users{Files: map[FileID][]Process{}, Unlinked: map[FileID]Unlinked{}, Sockets: map[uint64][]Process{}, SysV: map[int][]Process{}}
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		next = make(chan int)
	)
	for range min(runtime.GOMAXPROCS(0), 8) {
		wg.Go(func() {
			scan := scanner{folders: folders, buf: make([]byte, 64<<10)}
			for pid := range next {
				held, err := scan.process(pid)
				mu.Lock()
				if errors.Is(err, fs.ErrPermission) {
					u.Hidden++
				}
				if len(held) > 0 {
					u.add(describe(pid), held)
				}
				mu.Unlock()
			}
		})
	}
	for _, pid := range pids {
		next <- pid
	}
	close(next)
	wg.Wait()
	// What was made without a name and got one later, open(2) O_TMPFILE, is
	// shown as deleted for ever by the processes that had it before.
	for _, f := range folders {
		forget(u.Unlinked, f)
	}
	for _, ps := range u.Files {
		slices.SortFunc(ps, func(a, b Process) int { return a.PID - b.PID })
	}
	for _, ps := range u.SysV {
		slices.SortFunc(ps, func(a, b Process) int { return a.PID - b.PID })
	}
	for _, ps := range u.Sockets {
		slices.SortFunc(ps, func(a, b Process) int { return a.PID - b.PID })
	}
	return u, nil
}

func (u *Users) add(p Process, held []holding) {
	for _, h := range held {
		if h.socket != 0 {
			u.Sockets[h.socket] = appendOnce(u.Sockets[h.socket], p)
			continue
		}
		if h.sysv >= 0 {
			u.SysV[h.sysv] = appendOnce(u.SysV[h.sysv], p)
			continue
		}
		u.Files[h.file] = appendOnce(u.Files[h.file], p)
		if before := u.Unlinked[h.file]; h.unlinked != "" && (!h.mapped || !before.exact && h.size >= before.Size) {
			u.Unlinked[h.file] = Unlinked{h.unlinked, h.size, !h.mapped}
		}
	}
}

func appendOnce(ps []Process, p Process) []Process {
	if n := len(ps); n > 0 && ps[n-1].PID == p.PID {
		return ps
	}
	return append(ps, p)
}

// describe reads the name and the owner of a process.
func describe(pid int) Process {
	dir := "/proc/" + strconv.Itoa(pid)
	p := Process{PID: pid}
	if comm, err := os.ReadFile(dir + "/comm"); err == nil {
		p.Command = string(bytes.TrimSpace(comm))
	}
	var st unix.Stat_t
	if unix.Stat(dir, &st) == nil {
		p.UID = st.Uid
	}
	return p
}

// scanner looks into processes one after the other, with one buffer.
type scanner struct {
	folders []string
	buf     []byte
}

func (s *scanner) process(pid int) ([]holding, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	held, err := s.open(dir + "/fd")
	if err != nil {
		return nil, err
	}
	mapped, err := s.maps(dir + "/maps")
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
		return held, err
	}
	segment := func(h holding) bool { return h.sysv >= 0 }
	if slices.ContainsFunc(mapped, segment) && !ourSysV(dir) {
		mapped = slices.DeleteFunc(mapped, segment)
	}
	return append(held, mapped...), nil
}

// ourSysV says whether the process of that folder of /proc shares this one's objects of
// System V IPC. Others have segments of the same IDs: ipc_namespaces(7).
func ourSysV(dir string) bool {
	ours, err := os.Readlink("/proc/self/ns/ipc")
	theirs, err2 := os.Readlink(dir + "/ns/ipc")
	return err != nil || err2 != nil || ours == theirs
}

// open lists what the descriptors of a process refer to.
func (s *scanner) open(dir string) ([]holding, error) {
	names, err := readDirNames(dir)
	if err != nil {
		return nil, err
	}
	var held []holding
	for _, n := range names {
		path := dir + "/" + n
		size, err := unix.Readlink(path, s.buf[:unix.PathMax])
		if err != nil {
			continue
		}
		target := s.buf[:size]
		if inode, ok := bytes.CutPrefix(target, []byte("socket:[")); ok {
			if ino, err := strconv.ParseUint(string(bytes.TrimSuffix(inode, []byte("]"))), 10, 64); err == nil {
				held = append(held, holding{socket: ino, sysv: -1})
			}
			continue
		}
		if !s.wanted(target) && !mqueueLike(target) {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil {
			continue
		}
		h := holding{file: FileID{uint64(st.Dev), st.Ino}, sysv: -1}
		if st.Nlink == 0 {
			h.unlinked, h.size = strings.TrimSuffix(string(target), " (deleted)"), st.Size
		}
		held = append(held, h)
	}
	return held, nil
}

// maps lists the files that a process maps. A line of proc_pid_maps(5):
//
//	7f0000000000-7f0000001000 rw-s 00000000 00:1a 42    /dev/shm/psm_0a1b2c3d
func (s *scanner) maps(path string) ([]holding, error) {
	text, err := s.read(path)
	if err != nil {
		return nil, err
	}
	var held []holding
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		slash := bytes.IndexByte(line, '/')
		if slash < 0 {
			continue
		}
		segment := bytes.HasPrefix(line[slash:], sysvPath)
		if !segment && !s.wanted(line[slash:]) {
			continue
		}
		fields := bytes.Fields(line[:slash])
		if len(fields) != 5 {
			continue
		}
		major, minor, ok := strings.Cut(string(fields[3]), ":")
		a, err1 := strconv.ParseUint(major, 16, 32)
		b, err2 := strconv.ParseUint(minor, 16, 32)
		ino, err3 := strconv.ParseUint(string(fields[4]), 10, 64)
		if !ok || err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		h := holding{file: FileID{unix.Mkdev(uint32(a), uint32(b)), ino}, sysv: -1}
		if segment {
			held = append(held, holding{sysv: int(ino)}) // the kernel has the segment's ID for an inode
			continue
		}
		if name, ok := strings.CutSuffix(string(line[slash:]), " (deleted)"); ok {
			h.unlinked, h.mapped = name, true
			from, to, _ := strings.Cut(string(fields[0]), "-")
			if n, ok := numbers(16, from, to, string(fields[2])); ok {
				h.size = int64(n[1] - n[0] + n[2])
			}
		}
		if n := len(held); n == 0 || held[n-1] != h {
			held = append(held, h)
		}
	}
	return held, nil
}

// sysvPath begins the path that the kernel gives a mapped System V segment.
var sysvPath = []byte("/SYSV")

// mqueueLike says whether a descriptor may be a POSIX message queue: mq_open(3)
// goes by a mount of the kernel's own, where the queue's path is "/name".
func mqueueLike(target []byte) bool {
	return len(target) > 1 && target[0] == '/' && bytes.IndexByte(target[1:], '/') < 0
}

func (s *scanner) wanted(path []byte) bool {
	for _, f := range s.folders {
		if bytes.HasPrefix(path, []byte(f)) {
			return true
		}
	}
	return false
}

// read reads a file of /proc, whose size is not known beforehand.
func (s *scanner) read(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	used := 0
	for {
		if used == len(s.buf) {
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		}
		n, err := unix.Read(fd, s.buf[used:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return s.buf[:used], nil
		}
		used += n
	}
}

func readDirNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// forget removes from unlinked what has a name in the folder.
func forget(unlinked map[FileID]Unlinked, folder string) {
	if len(unlinked) == 0 {
		return
	}
	names, _ := readDirNames(folder)
	for _, n := range names {
		if id, err := ID(folder + n); err == nil {
			delete(unlinked, id)
		}
	}
}

// ID returns what names the file at path, without following a last symlink.
func ID(path string) (FileID, error) {
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Clean(path), &st); err != nil {
		return FileID{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return FileID{uint64(st.Dev), st.Ino}, nil
}
