//go:build unix

package rpc

import (
	"context"
	"sync"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

// What Notify has taken goes out although Close comes next.
func TestNotifyBeforeClose(t *testing.T) {
	is := is.New(t)
	const callers, each = 16, 20
	for range 50 {
		a, peer, err := socket.Pair()
		is.NoErr(err)
		cl := NewClient(a)
		came := make(chan int)
		go func() {
			n := 0
			for {
				if _, err := peer.Recv(context.Background()); err != nil {
					peer.Close()
					came <- n
					return
				}
				n++
			}
		}()
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range each {
					if err := cl.Notify(soon(t), "/told", make([]byte, 100)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		is.NoErr(cl.Close())
		is.Equal(<-came, callers*each)
	}
}
