//go:build !ipcportable

package socket

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// A listener that wants no descriptors has the kernel refuse them, even on
// connections that it has not accepted yet.
func TestKernelRefusesUnwantedDescriptors(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path, &ListenOptions{Conn: ConnOptions{MaxFiles: -1}})
	var passes int
	var err error
	is.NoErr(l.raw.Control(func(fd uintptr) {
		passes, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, soPassRights)
	}))
	if errors.Is(err, unix.ENOPROTOOPT) {
		t.Skip("this kernel has no SO_PASSRIGHTS (Linux 6.16)")
	}
	is.NoErr(err)
	is.Equal(passes, 0)
	c, err := Dial(soon(t), path, nil)
	is.NoErr(err)
	defer c.Close()
	is.True(errors.Is(c.Send(soon(t), nil, numbered(t, 0, 1)...), os.ErrPermission))
}
