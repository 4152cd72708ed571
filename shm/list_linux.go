//go:build linux && !ipcportable

package shm

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// inode identifies a file; dev is as the kernel prints it in /proc/PID/maps
// and /proc/locks: major:minor in hexadecimal.
type inode struct {
	dev string
	ino uint64
}

// listObjects looks at /dev/shm, then once at every process and every lock.
func listObjects() ([]Info, error) {
	entries, err := os.ReadDir(shmDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	infos := make([]Info, 0, len(entries))
	index := map[inode][]int{} // lent segments have several names
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if info, id, ok := describe(e.Name()); ok {
			index[id] = append(index[id], len(infos))
			infos = append(infos, info)
		}
	}
	if len(infos) == 0 {
		return nil, nil
	}
	u := scanUsers(index)
	for id, at := range index {
		for _, i := range at {
			infos[i].Users = u.users[id]
			infos[i].Attached = u.locked[id]
			infos[i].Hidden = u.hidden
		}
	}
	return infos, nil
}

func describe(name string) (info Info, id inode, ok bool) {
	path := shmDir + name
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return info, id, false
	}
	info = Info{
		Name: name, Path: path, Size: int64(st.Size), Mode: os.FileMode(st.Mode & 0o777),
		UID: st.Uid, GID: st.Gid, Links: uint64(st.Nlink), Changed: timeOf(st.Mtime),
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		info.Created = timeOf(st.Btime)
	}
	return info, inode{devName(st.Dev_major, st.Dev_minor), st.Ino}, true
}

func timeOf(t unix.StatxTimestamp) time.Time { return time.Unix(t.Sec, int64(t.Nsec)) }

// devName prints a device as the kernel does: %02x:%02x.
func devName(major, minor uint32) string {
	two := func(n uint32) string {
		s := strconv.FormatUint(uint64(n), 16)
		if len(s) < 2 {
			s = "0" + s
		}
		return s
	}
	return two(major) + ":" + two(minor)
}

// initialPidNamespace is PROC_PID_INIT_INO of the kernel's proc_ns.h.
const initialPidNamespace = "pid:[4026531836]"

// usage is who uses the objects that were asked for.
type usage struct {
	want   map[inode][]int
	devs   map[string]string // the devices in want, each under its own name
	users  map[inode][]User
	locked map[inode]bool
	hidden int
	buf    []byte
}

func scanUsers(want map[inode][]int) *usage {
	u := &usage{want: want, devs: map[string]string{}, users: map[inode][]User{}, locked: map[inode]bool{}, buf: make([]byte, 64<<10)}
	for id := range want {
		u.devs[id.dev] = id.dev
	}
	u.scanLocks()
	if self, err := os.Readlink("/proc/self/ns/pid"); err != nil || self != initialPidNamespace {
		u.hidden++ // processes outside this pid namespace may share /dev/shm
	}
	if _, err := os.Lstat("/proc/1"); err != nil {
		u.hidden++ // hidepid: others are not even listed, init included
	}
	dir, err := os.Open("/proc")
	if err != nil {
		u.hidden++ // nobody can be seen
		return u
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			u.scanProcess(pid)
		}
	}
	return u
}

// scanLocks finds the locks of markUsed and of shmsync.Liveness. A line is
// "1: OFDLCK ADVISORY  READ -1 00:1a:1234 1099511627775 1099511627775", or
// "2: FLOCK  ADVISORY  READ 4711 00:1a:1234 0 EOF".
func (u *usage) scanLocks() {
	b, err := os.ReadFile("/proc/locks")
	if err != nil {
		return
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 8 {
			continue
		}
		switch string(f[1]) {
		case "FLOCK":
		case "OFDLCK":
			if start, err := strconv.ParseInt(string(f[6]), 10, 64); err != nil || start < useByte {
				continue
			}
		default:
			continue
		}
		if at := bytes.LastIndexByte(f[5], ':'); at > 0 {
			ino, _ := strconv.ParseUint(string(f[5][at+1:]), 10, 64)
			if id := (inode{string(f[5][:at]), ino}); u.want[id] != nil {
				u.locked[id] = true
			}
		}
	}
}

// scanProcess finds what one process has mapped and open. A process that is
// gone meanwhile uses nothing; one that may not be read is hidden.
func (u *usage) scanProcess(pid int) {
	proc := "/proc/" + strconv.Itoa(pid)
	found := map[inode]bool{} // value: mapped
	err := u.scanMaps(proc+"/maps", found)
	if err == nil {
		err = u.scanFiles(proc+"/fd/", found)
	}
	if errors.Is(err, os.ErrPermission) {
		u.hidden++
	}
	if len(found) == 0 {
		return
	}
	user := User{PID: pid}
	if b, err := os.ReadFile(proc + "/comm"); err == nil {
		user.Name = strings.TrimSpace(string(b))
	}
	var st unix.Stat_t
	if unix.Stat(proc, &st) == nil {
		user.UID = st.Uid
	}
	for id, mapped := range found {
		user.Mapped = mapped
		u.users[id] = append(u.users[id], user)
	}
}

// scanMaps reads lines like
// "7f00-7f01 rw-s 00000000 00:1a 1234      /dev/shm/x": proc_pid_maps(5).
func (u *usage) scanMaps(path string, found map[inode]bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	kept := 0
	for {
		n, err := f.Read(u.buf[kept:])
		b := u.buf[:kept+n]
		for {
			line, rest, ok := bytes.Cut(b, []byte{'\n'})
			if !ok {
				break
			}
			if id, ok := u.mapped(line); ok {
				found[id] = true
			}
			b = rest
		}
		if kept = copy(u.buf, b); kept == len(u.buf) {
			kept = 0 // no line is that long
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// mapped returns the object of one line if it is wanted. It allocates nothing:
// a host has many lines.
func (u *usage) mapped(line []byte) (id inode, ok bool) {
	for range 3 { // address, permissions, offset
		if _, line, ok = bytes.Cut(line, []byte{' '}); !ok {
			return id, false
		}
	}
	devName, line, _ := bytes.Cut(line, []byte{' '})
	dev, ok := u.devs[string(devName)]
	if !ok {
		return id, false
	}
	num, _, _ := bytes.Cut(line, []byte{' '})
	var ino uint64
	for _, c := range num {
		ino = ino*10 + uint64(c-'0')
	}
	id = inode{dev, ino}
	return id, u.want[id] != nil
}

// scanFiles looks at the open descriptors.
func (u *usage) scanFiles(dir string, found map[inode]bool) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	for _, n := range names {
		var st unix.Stat_t
		if unix.Fstatat(int(d.Fd()), n, &st, 0) != nil {
			continue
		}
		id := inode{devName(unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev))), st.Ino}
		if u.want[id] != nil && !found[id] {
			found[id] = false
		}
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
