package host

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func TestParseUnixSockets(t *testing.T) {
	is := is.New(t)
	got := parseUnixSockets([]byte(`Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/a b.sock
0000000000000000: 00000003 00000000 00000000 0001 03   678
0000000000000000: 00000002 00000000 00010000 0005 01 99999 @hidden
0000000000000000: 00000002 00000000 00000000 0002 01 7 /dev/log
broken
`))
	is.Equal(got, []UnixSocket{
		{Path: "/run/a b.sock", Inode: 12345, Type: "stream", Listening: true},
		{Inode: 678, Type: "stream", Connected: true},
		{Path: "@hidden", Inode: 99999, Type: "seqpacket", Listening: true},
		{Path: "/dev/log", Inode: 7, Type: "dgram"},
	})
}

func FuzzParseUnixSockets(f *testing.F) {
	f.Add([]byte("h\n0: 2 0 00010000 0001 01 12345 /run/a.sock\n"))
	f.Add([]byte("h\n   \n: : :\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { parseUnixSockets(text) })
}

func TestProcessesSeesOurselves(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	create := func(name string) (*os.File, FileID) {
		f, err := os.Create(filepath.Join(dir, name))
		is.NoErr(err)
		is.NoErr(f.Truncate(4096))
		id, err := ID(f.Name())
		is.NoErr(err)
		return f, id
	}
	open, openID := create("open")
	defer open.Close()

	mapped, mappedID := create("mapped")
	mem, err := unix.Mmap(int(mapped.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	is.NoErr(err)
	defer unix.Munmap(mem)
	mapped.Close()

	gone, goneID := create("gone")
	defer gone.Close()
	is.NoErr(os.Remove(gone.Name()))

	only, torn := create("torn")
	is.NoErr(only.Truncate(5000))
	part, err := unix.Mmap(int(only.Fd()), 0, 5000, unix.PROT_READ, unix.MAP_SHARED)
	is.NoErr(err)
	defer unix.Munmap(part)
	only.Close()
	is.NoErr(os.Remove(only.Name()))

	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	is.NoErr(err)
	nameless := os.NewFile(uintptr(fd), "nameless")
	is.NoErr(nameless.Truncate(4096))
	linked, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	is.NoErr(err)
	defer unix.Munmap(linked)
	is.NoErr(unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, filepath.Join(dir, "linked"), unix.AT_SYMLINK_FOLLOW))
	nameless.Close()
	linkedID, err := ID(filepath.Join(dir, "linked"))
	is.NoErr(err)

	closed, closedID := create("closed")
	closed.Close()

	socket := filepath.Join(dir, "s.sock")
	l, err := net.Listen("unix", socket)
	is.NoErr(err)
	defer l.Close()

	u, err := Processes(dir)
	is.NoErr(err)
	ours := func(ps []Process) bool {
		return slices.ContainsFunc(ps, func(p Process) bool { return p.PID == os.Getpid() && p.UID == uint32(os.Getuid()) && p.Command != "" })
	}
	is.True(ours(u.Files[openID]))    // held open
	is.True(ours(u.Files[mappedID]))  // mapped
	is.True(ours(u.Files[goneID]))    // without a name
	is.True(!ours(u.Files[closedID])) // neither
	is.Equal(u.Unlinked[goneID], Unlinked{filepath.Join(dir, "gone"), 4096, true})
	is.Equal(u.Unlinked[torn], Unlinked{filepath.Join(dir, "torn"), 8192, false}) // nobody has it open
	_, named := u.Unlinked[linkedID]
	is.True(!named) // it was made without a name, and has one now
	is.True(ours(u.Files[linkedID]))
	_, named = u.Unlinked[openID]
	is.True(!named)

	sockets, err := UnixSockets()
	is.NoErr(err)
	i := slices.IndexFunc(sockets, func(s UnixSocket) bool { return s.Path == socket })
	is.True(i >= 0) // our listener is in the kernel's table
	is.True(sockets[i].Listening)
	is.True(ours(u.Sockets[sockets[i].Inode]))
}

func BenchmarkProcesses(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Processes("/dev/shm"); err != nil {
			b.Fatal(err)
		}
	}
}
