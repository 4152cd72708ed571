//go:build !ipcportable

package acl

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// decodePosixACL reads the attribute back.
func decodePosixACL(b []byte) (FileAccess, error) {
	if len(b) < posixACLHeader || binary.LittleEndian.Uint32(b) != posixACLVersion || (len(b)-posixACLHeader)%posixACLEntry != 0 {
		return FileAccess{}, fmt.Errorf("acl: POSIX ACL of %d bytes: not version %d", len(b), posixACLVersion)
	}
	var a FileAccess
	var user, group, other uint8
	mask := -1
	for b = b[posixACLHeader:]; len(b) > 0; b = b[posixACLEntry:] {
		perm, id := uint8(binary.LittleEndian.Uint16(b[2:])&7), binary.LittleEndian.Uint32(b[4:])
		switch tag := binary.LittleEndian.Uint16(b); tag {
		case tagUserObj:
			user = perm
		case tagGroupObj:
			group = perm
		case tagOther:
			other = perm
		case tagMask:
			mask = int(perm)
		case tagUser:
			a.Entries = append(a.Entries, AccessEntry{"user", id, perm})
		case tagGroup:
			a.Entries = append(a.Entries, AccessEntry{"group", id, perm})
		default:
			return FileAccess{}, fmt.Errorf("acl: POSIX ACL: unknown tag %#x", tag)
		}
	}
	a.Group = group
	if mask < 0 {
		mask = int(group)
	}
	a.Mode = modeOf(user, uint8(mask), other)
	return a, nil
}

// TestPosixACLGolden pins the bytes of the attribute.
func TestPosixACLGolden(t *testing.T) {
	is := is.New(t)
	a := FileAccess{Mode: 0o660, Group: 4, Entries: []AccessEntry{{"user", 7, 2}, {"user", 1<<32 - 2, 0}, {"group", 0x01020304, 6}}}
	is.Equal(hex.EncodeToString(encodePosixACL(a)), "02000000"+
		"01000600ffffffff"+ // user::rw-
		"0200020007000000"+ // user:7:-w-
		"02000000feffffff"+ // user:4294967294:---
		"04000400ffffffff"+ // group::r--
		"0800060004030201"+ // group:16909060:rw-
		"10000600ffffffff"+ // mask::rw-
		"20000000ffffffff") // other::---
	back, err := decodePosixACL(encodePosixACL(a))
	is.NoErr(err)
	is.Equal(back, a)
}

// setgroups is the system call for 32-bit ids.
var setgroups = func() uintptr {
	if runtime.GOARCH == "386" {
		return 206 // SYS_SETGROUPS32: the older call takes 16-bit ids
	}
	return unix.SYS_SETGROUPS
}()

// as runs f on a thread of its own with another identity. The Go runtime ends
// the thread afterwards.
func as(t *testing.T, s Subject, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
		groups := append([]uint32{s.GID}, s.Groups...)
		// Of this thread alone: the functions of package syscall change all.
		_, _, errno := unix.RawSyscall(setgroups, uintptr(len(groups)), uintptr(unsafe.Pointer(&groups[0])), 0)
		if errno != 0 {
			t.Errorf("setgroups: %v", errno)
			return
		}
		if err := errors.Join(unix.Setfsgid(int(int32(s.GID))), unix.Setfsuid(int(int32(s.UID)))); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	within(t, "a thread of another user", done)
}

// permitted asks the kernel what s may do to a file: 4 read, 2 write.
func permitted(t *testing.T, s Subject, path string) (perm uint8) {
	as(t, s, func() {
		for p, flag := range map[uint8]int{permRead: unix.O_RDONLY, permWrite: unix.O_WRONLY} {
			fd, err := unix.Open(path, flag|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			if err == nil {
				unix.Close(fd)
				perm |= p
			} else if err != unix.EACCES {
				t.Errorf("%v: %v", s, err)
			}
		}
	})
	return perm
}

// TestApplyEnforced compares what the kernel allows with what Check allows, for
// random policies. Where Apply gives no warning the two are the same.
func TestApplyEnforced(t *testing.T) {
	asRoot(t)
	const owner, group = 900, 901
	is := is.New(t)
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		is.NoErr(os.Chmod(d, 0o755))
	}
	path := write(t, dir, "segment", "")
	is.NoErr(os.Chown(path, owner, group))

	n := 300
	if testing.Short() {
		n = 40
	}
	g := generator{rand.New(rand.NewPCG(*seed, 1))}
	whos := []string{"any", "any", "uid:1", "uid:2", "uid:4294967294", "gid:11", "gid:12", "gid:901"}
	exact, compared := 0, 0
	for range n {
		var lines []string
		for range 1 + g.IntN(4) {
			lines = append(lines, fmt.Sprintf("%s %s %s shm:seg*", g.of("allow", "allow", "deny"), g.of(whos...), g.of("read", "read", "read, write")))
		}
		text := strings.Join(lines, "\n")
		p := parse(t, text)
		a, err := Apply(path, p, "shm:segment")
		is.NoErr(err)
		checkStored(t, path, a)
		if len(a.Warnings) == 0 {
			exact++
		}
		for range 6 {
			s := Subject{UID: []uint32{1, 2, 3, 1<<32 - 2}[g.IntN(4)], GID: []uint32{11, 12, 13, 901}[g.IntN(4)]}
			if g.IntN(2) == 0 {
				s.Groups = []uint32{[]uint32{11, 12, 901}[g.IntN(3)]}
			}
			var want uint8
			if p.Check(s, "read", "shm:segment").Allowed {
				want |= permRead
			}
			if p.Check(s, "write", "shm:segment").Allowed {
				want |= permRead | permWrite
			}
			got := permitted(t, s, path)
			if got != want && len(a.Warnings) == 0 {
				t.Fatalf("%v: the kernel gives %s, the policy %s\n%s\n%s", s, permString(got), permString(want), a, text)
			}
			compared++
		}
	}
	t.Logf("%d policies, %d without a warning; %d subjects asked", n, exact, compared)
	is.True(exact > n/8)
}

// TestApplyShutsOut: entries that give nothing shut out those whom they name,
// also where nobody but the owner and others may do anything.
func TestApplyShutsOut(t *testing.T) {
	asRoot(t)
	is := is.New(t)
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		is.NoErr(os.Chmod(d, 0o755))
	}
	path := write(t, dir, "segment", "")
	is.NoErr(os.Chown(path, 900, 901))
	p := parse(t, "allow any read, write shm:segment\ndeny uid:7, gid:8, gid:901 any shm:segment")
	a, err := Apply(path, p, "shm:segment")
	is.NoErr(err)
	is.Equal(a.Warnings, nil)
	checkStored(t, path, a)
	for _, s := range []Subject{{UID: 7, GID: 1}, {UID: 5, GID: 8}, {UID: 5, GID: 1, Groups: []uint32{8}}, {UID: 5, GID: 901}} {
		is.Equal(permitted(t, s, path), uint8(0)) // denied
	}
	is.Equal(permitted(t, Subject{UID: 5, GID: 1}, path), uint8(permRead|permWrite))
}

// checkStored reads back what the file has.
func checkStored(t *testing.T, path string, want FileAccess) {
	t.Helper()
	is := is.New(t)
	info, err := os.Lstat(path)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), want.Mode)
	buf := make([]byte, 1024)
	n, err := unix.Lgetxattr(path, "system.posix_acl_access", buf)
	if len(want.Entries) == 0 {
		is.True(err == unix.ENODATA || err == unix.EOPNOTSUPP) // the mode says it all
		return
	}
	is.NoErr(err)
	got, err := decodePosixACL(buf[:n])
	is.NoErr(err)
	is.Equal(got.String(), want.String())
}

// TestApplySocket lets the kernel refuse a connection.
func TestApplySocket(t *testing.T) {
	asRoot(t)
	is := is.New(t)
	dir, err := os.MkdirTemp("", "acl")
	is.NoErr(err)
	defer os.RemoveAll(dir)
	is.NoErr(os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	is.NoErr(err)
	defer l.Close()
	resource := "socket:" + path
	p := parse(t, fmt.Sprintf("allow uid:7, gid:8 connect %s\ndeny uid:9 any %s", resource, resource))
	a, err := Apply(path, p, resource)
	is.NoErr(err)
	is.Equal(a.Warnings, nil)
	checkStored(t, path, a)
	for _, s := range []Subject{{UID: 7, GID: 1}, {UID: 6, GID: 8}, {UID: 6, GID: 1, Groups: []uint32{8}}, {UID: 9, GID: 8}, {UID: 6, GID: 1}} {
		want := p.Check(s, "connect", resource).Allowed
		as(t, s, func() {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer unix.Close(fd)
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
			if want && err != nil || !want && err != unix.EACCES {
				t.Errorf("%v: want allowed %v, got %v", s, want, err)
			}
		})
	}
	if getfacl, err := exec.LookPath("getfacl"); err == nil {
		out, err := exec.Command(getfacl, "-n", "--absolute-names", path).Output()
		is.NoErr(err)
		is.True(strings.Contains(string(out), "user:7:-w-"))
		is.True(strings.Contains(string(out), "group:8:-w-"))
	}
}

func TestApplyTightensAgain(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "fifo")
	is.NoErr(unix.Mkfifo(path, 0o666))
	wide, err := Apply(path, parse(t, "allow uid:7, gid:8 read, write pipe:**"), "pipe:"+path)
	is.NoErr(err)
	checkStored(t, path, wide)
	is.Equal(wide.Mode, fs.FileMode(0o660))
	tight, err := Apply(path, parse(t, ""), "pipe:"+path)
	is.NoErr(err)
	checkStored(t, path, tight)
	is.Equal(tight.Mode, fs.FileMode(0o600))
}
