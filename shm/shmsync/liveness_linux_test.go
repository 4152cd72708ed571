//go:build linux && !ipcportable

package shmsync

import (
	"os"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// Objects without a name have locks too; who may only read can only probe, and
// cannot pretend to live.
func TestLivenessOfMemfd(t *testing.T) {
	is := is.New(t)
	fd, err := unix.MemfdCreate("object", unix.MFD_CLOEXEC)
	is.NoErr(err)
	f := os.NewFile(uintptr(fd), "object")
	defer f.Close()
	a, b := openLivenessBy(t, f, openLocks), openLivenessBy(t, f, openLocks)
	if _, native := a.locks.(ofdLocks); !native {
		t.Skip("this kernel has no OFD locks")
	}
	ok, err := a.TryLock(1)
	is.NoErr(err)
	is.True(ok)
	ok, err = b.Held(1)
	is.NoErr(err)
	is.True(ok)

	ro, err := reopen(f, unix.O_RDONLY)
	is.NoErr(err)
	squatter := ofdLocks{ro}
	defer squatter.close()
	_, err = squatter.fcntl(unix.F_OFD_SETLK, unix.F_RDLCK, 2) // all that it can do
	is.NoErr(err)
	ok, err = b.Held(2)
	is.NoErr(err)
	is.True(!ok)
	_, err = squatter.try(3)
	is.True(err != nil)
	ok, err = squatter.held(1)
	is.NoErr(err)
	is.True(ok)

	// The locks are not inherited by programs that we start.
	flags, err := unix.FcntlInt(a.locks.(ofdLocks).f.Fd(), unix.F_GETFD, 0)
	is.NoErr(err)
	is.True(flags&unix.FD_CLOEXEC != 0)
}
