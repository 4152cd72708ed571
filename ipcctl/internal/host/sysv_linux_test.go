package host

import (
	"os"
	"slices"
	"testing"
	"unsafe"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

func TestParseSysV(t *testing.T) {
	is := is.New(t)
	is.Equal(parseSysV("shm", `       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime        rss       swap
-559038737          3  1640       4096   100   200      2  1000  1000  1000  1000          0          0          0          0          0
broken
         0          4   600`), []SysV{
		{Kind: "shm", ID: 3, Key: 0xdeadbeef, Mode: 0o640, UID: 1000, Size: 4096, Count: 2, Doomed: true, Creator: 100, LastPIDs: []int{200}},
	})
	is.Equal(parseSysV("msg", "key msqid perms cbytes qnum lspid lrpid uid\n1 16777260 644 10 2 11 12 0\n"), []SysV{
		{Kind: "msg", ID: 16777260, Key: 1, Mode: 0o644, Size: 10, Count: 2, LastPIDs: []int{11, 12}},
	})
	is.Equal(len(parseSysV("sem", "")), 0)
}

func FuzzParseSysV(f *testing.F) {
	f.Add("key semid perms nsems uid\n1 2 600 3 0\n")
	f.Add("key shmid\n1\n")
	f.Fuzz(func(_ *testing.T, text string) {
		for kind := range sysvIDs {
			parseSysV(kind, text)
		}
	})
}

// TestSysVUsers attaches to a segment that the kernel already calls doomed: it
// goes away with this process.
func TestSysVUsers(t *testing.T) {
	is := is.New(t)
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o600)
	if err == unix.ENOSYS {
		t.Skip("no System V IPC in this kernel")
	}
	is.NoErr(err)
	mem, err := unix.SysvShmAttach(id, 0, 0)
	_, errRemove := unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	is.NoErr(err)
	is.NoErr(errRemove)
	defer unix.SysvShmDetach(mem)

	all, err := SysVObjects()
	is.NoErr(err)
	i := slices.IndexFunc(all, func(o SysV) bool { return o.Kind == "shm" && o.ID == id })
	is.True(i >= 0) // it is in the kernel's table
	is.True(all[i].Doomed)
	is.Equal(all[i].Count, 1)
	is.Equal(all[i].Creator, os.Getpid())
	u, err := Processes()
	is.NoErr(err)
	is.True(slices.ContainsFunc(u.SysV[id], func(p Process) bool { return p.PID == os.Getpid() }))
}

// TestMessageQueueUsers has a POSIX message queue open the way that mq_open(3)
// does, by a mount of the kernel's own.
func TestMessageQueueUsers(t *testing.T) {
	is := is.New(t)
	name, err := unix.BytePtrFromString("ipcctl-host-test")
	is.NoErr(err)
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600, 0, 0, 0)
	if errno == unix.ENOSYS {
		t.Skip("no POSIX message queues in this kernel")
	}
	is.Equal(errno, unix.Errno(0))
	defer unix.Close(int(fd))
	_, _, errno = unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
	is.Equal(errno, unix.Errno(0))
	var st unix.Stat_t
	is.NoErr(unix.Fstat(int(fd), &st))
	u, err := Processes()
	is.NoErr(err)
	is.True(slices.ContainsFunc(u.Files[FileID{uint64(st.Dev), st.Ino}], func(p Process) bool { return p.PID == os.Getpid() }))
}
