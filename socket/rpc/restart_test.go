//go:build unix

package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// A server that shuts down while its successor serves already: no call is lost or made
// twice, idempotent or not.
func TestNoCallIsLostInARestart(t *testing.T) {
	is := is.New(t)
	var done atomic.Int32
	newServer := func() *Server {
		s := &Server{}
		s.HandleFunc("/add", func(context.Context, *Call) ([]byte, error) {
			done.Add(1)
			return nil, nil
		})
		return s
	}
	var current atomic.Pointer[Server]
	current.Store(newServer())
	cl := Dial("", &ClientOptions{Dial: dialPairs(func(c *socket.Conn) { current.Load().ServeConn(c) })})
	defer cl.Close()
	var wg sync.WaitGroup
	var stop atomic.Bool
	var made, lost atomic.Int32
	for range 8 {
		wg.Go(func() {
			for !stop.Load() {
				made.Add(1)
				if _, err := cl.Call(soon(t), "/add", nil); err != nil {
					lost.Add(1)
					t.Log(err)
				}
			}
		})
	}
	for range 50 {
		was := done.Load()
		eventually(t, "calls are answered", func() bool { return done.Load() > was+10 })
		old := current.Swap(newServer())
		is.NoErr(old.Shutdown(soon(t)))
	}
	stop.Store(true)
	wg.Wait()
	is.Equal(lost.Load(), int32(0))
	is.Equal(done.Load(), made.Load())
	is.NoErr(cl.Close())
	is.NoErr(current.Load().Shutdown(soon(t)))
}
