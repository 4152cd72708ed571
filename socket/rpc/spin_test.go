//go:build unix

package rpc

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
)

func TestCallsWhateverTheSpin(t *testing.T) {
	for name, spin := range map[string]time.Duration{"as rpc finds best": 0, "never": -1, "long": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			a, b, err := socket.Pair()
			is.NoErr(err)
			a.Configure(&socket.ConnOptions{Spin: spin})
			b.Configure(&socket.ConnOptions{Spin: spin})
			s := testServer()
			go s.ServeConn(b)
			cl := NewClient(a)
			defer cl.Close()
			for range 300 {
				got, err := cl.Call(soon(t), "/echo", []byte("x"))
				is.NoErr(err)
				is.Equal(string(got), "x")
			}
		})
	}
}
