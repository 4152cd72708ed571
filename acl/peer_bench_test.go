//go:build linux || darwin

package acl

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
)

// BenchmarkPeerOfSameProcess asks about a connection whose two ends are ours.
func BenchmarkPeerOfSameProcess(b *testing.B) {
	is := is.New(b)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(b.TempDir(), "s"), Net: "unix"})
	is.NoErr(err)
	defer l.Close()
	client, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	is.NoErr(err)
	defer client.Close()
	c, err := l.AcceptUnix()
	is.NoErr(err)
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := PeerOf(c); err != nil {
			b.Fatal(err)
		}
	}
}
