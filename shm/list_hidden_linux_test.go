//go:build !ipcportable

package shm_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// Where /proc does not even list the processes of others (hidepid, proc(5)),
// that none is seen to use a segment proves nothing.
func TestListWhereProcessesAreHidden(t *testing.T) {
	if os.Geteuid() != 0 || os.Getenv(emulatorEnv) != "" {
		t.Skip("needs root to mount a /proc and to become another user, and no emulator")
	}
	is := is.New(t)
	r, err := shm.Create("", 100, nil)
	is.NoErr(err)
	defer shm.Remove(r.Name())
	is.NoErr(r.Close())
	user, err := os.Open("/dev/shm/" + r.Name()) // as a Python that knows no locks of ours
	is.NoErr(err)
	defer user.Close()
	for _, options := range []string{"hidepid=1", "hidepid=2", "hidepid=4"} {
		t.Run(options, func(t *testing.T) {
			is := is.New(t)
			cmd := command("hiddenlist", r.Name(), options)
			is.NoErr(isolate(cmd))
			is.Equal(startCmd(t, cmd).line(), "idle") // not orphan: this process has it open
		})
	}
}

func init() { children["hiddenlist"] = childHiddenList }

// childHiddenList says in which state somebody else sees a segment, where
// /proc is mounted with the given options: hiddenlist NAME OPTIONS.
func childHiddenList(args []string) error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, args[1]); err != nil {
		return err
	}
	const stranger = 65534
	for _, err := range []error{
		syscall.Setgroups(nil), syscall.Setresgid(stranger, stranger, stranger), syscall.Setresuid(stranger, stranger, stranger),
		unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0), // or it would be hidden from itself
	} {
		if err != nil {
			return err
		}
	}
	l, err := shm.List()
	if err != nil {
		return err
	}
	for _, i := range l {
		if i.Name == args[0] {
			say(i.State)
		}
	}
	return nil
}
