//go:build !ipcportable

package acl

import (
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// TestPinnedStartOfReusedPID gives a pidfd a pid that is someone else's by
// now, as if the kernel had given it away.
func TestPinnedStartOfReusedPID(t *testing.T) {
	is := is.New(t)
	cmd := helper(t, "stdin")
	stdin, err := cmd.StdinPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err == unix.ENOSYS {
		is.NoErr(stdin.Close())
		is.NoErr(cmd.Wait())
		t.Skip("this kernel has no pidfds")
	}
	is.NoErr(err)
	defer unix.Close(pidfd)
	_, ok := pinnedStart(pidfd, int32(cmd.Process.Pid))
	is.True(ok)
	is.NoErr(stdin.Close())
	is.NoErr(cmd.Wait())
	_, ok = pinnedStart(pidfd, int32(unix.Getpid()))
	is.True(!ok)
}
