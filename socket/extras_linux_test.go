package socket

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// A socket that somebody else made, as systemd does with PassCredentials=yes,
// may have the kernel add control messages. They take no room of descriptors,
// on connections that were made before we came either.
func TestSocketWithCredentialsTurnedOn(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	fd, err := sysSocket()
	is.NoErr(err)
	made := os.NewFile(uintptr(fd), "made by another")
	defer made.Close()
	is.NoErr(unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	is.NoErr(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
	is.NoErr(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSSEC, 1))
	is.NoErr(unix.Listen(fd, 5))
	early, err := Dial(soon(t), path, nil)
	is.NoErr(err)
	defer early.Close()
	l, err := ListenFile(made, &ListenOptions{Conn: ConnOptions{MaxFiles: 2}})
	is.NoErr(err)
	defer l.Close()
	late, err := Dial(soon(t), path, nil)
	is.NoErr(err)
	defer late.Close()
	for _, client := range []*Conn{early, late} {
		is.NoErr(client.Send(soon(t), []byte("m"), numbered(t, 0, 2)...))
		c, err := l.Accept(soon(t))
		is.NoErr(err)
		defer c.Close()
		m, err := c.Recv(soon(t))
		is.NoErr(err)
		is.Equal(len(m.Files), 2)
		is.NoErr(m.Close())
	}

	a, b := pair(t, nil)
	f, err := b.File()
	is.NoErr(err)
	defer f.Close()
	is.NoErr(b.control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) }))
	is.NoErr(err)
	c, err := FromFile(f)
	is.NoErr(err)
	defer c.Close()
	c.Configure(&ConnOptions{MaxFiles: 1})
	is.NoErr(a.Send(soon(t), []byte("m"), numbered(t, 0, 1)...))
	m, err := c.Recv(soon(t))
	is.NoErr(err)
	is.Equal(len(m.Files), 1)
	is.NoErr(m.Close())
}
