//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

// registerScarce makes the helper that serves with few descriptors.
func registerScarce() bool {
	helpers["scarce"] = func(args []string) {
		l, err := Listen(args[0], nil)
		if err == nil {
			limit := syscall.Rlimit{Cur: 32, Max: 32}
			err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
		}
		for err == nil {
			var c *Conn
			if c, err = l.Accept(context.Background()); err == nil {
				go echoConn(c)
			}
		}
		fmt.Fprintln(os.Stderr, "ended:", err)
		os.Exit(1)
	}
	return true
}

var _ = registerScarce()

// echoConn answers each message with itself until the peer has gone.
func echoConn(c *Conn) {
	defer c.Close()
	for {
		m, err := c.Recv(context.Background())
		if err == nil {
			err = c.Send(context.Background(), m.Data)
		}
		if err != nil {
			return
		}
	}
}

// A listener that runs out of descriptors turns newcomers away, instead of
// leaving them to wait, and serves again when there are some.
func TestAcceptWithoutDescriptors(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	cmd := helper(t, "scarce", path)
	is.NoErr(cmd.Start())
	defer stop(cmd)

	var inside []*Conn
	away := 0
	for range 100 {
		c, err := Dial(soon(t), path, &DialOptions{Wait: true})
		is.NoErr(err)
		defer c.Close()
		err = c.Send(soon(t), []byte("x"))
		if err == nil {
			_, err = c.Recv(soon(t))
		}
		switch {
		case err == nil:
			inside = append(inside, c)
		case err == io.EOF, errors.Is(err, ErrPeerClosed):
			away++
		default:
			t.Fatal(err) // left to wait
		}
	}
	is.True(len(inside) > 0)
	is.True(away > 60) // most of the 100 find no descriptor
	for _, c := range inside {
		is.NoErr(c.Close())
	}
	eventually(t, "there are descriptors again", func() bool { return roundTrip(t, path, nil) == nil })
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
