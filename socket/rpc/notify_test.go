//go:build unix

package rpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/frame"
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

// A peer that answers and then closes, as a server that shuts down: what it has answered
// arrives, although others who send learn first that it has gone.
func TestAnswersBeforeTheEndArrive(t *testing.T) {
	is := is.New(t)
	const callers = 20
	for range 50 {
		cl, _, peer := clientOf(t)
		ended := make(chan error, callers)
		for range callers {
			go func() { _, err := cl.Call(soon(t), "/x", nil); ended <- err }()
		}
		var replies []byte
		for range callers {
			h, _ := next(t, peer)
			replies = frame.Append(replies, header{kind: kindEnd, id: h.id}.append(nil))
		}
		told := make(chan error, 1)
		go func() {
			for {
				if err := cl.Notify(soon(t), "/told", nil); err != nil {
					told <- err
					return
				}
			}
		}()
		next(t, peer)
		_, err := peer.SendFrames(soon(t), replies)
		is.NoErr(err)
		is.NoErr(peer.Close())
		for range callers {
			is.NoErr(<-ended)
		}
		is.True(errors.Is(<-told, ErrConnection))
	}
}

// A client that makes calls, one-way and others, and closes: the replies that find nobody
// do not keep the server from what has come before the end.
func TestOneWayCallsBeforeTheEndArrive(t *testing.T) {
	is := is.New(t)
	const n = 500
	for range 10 {
		s := &Server{MaxCalls: 2 * n}
		var told atomic.Int32
		s.HandleFunc("/told", func(context.Context, *Call) ([]byte, error) {
			told.Add(1)
			return nil, nil
		})
		a, b, err := socket.Pair()
		is.NoErr(err)
		var calls []byte // for one write: nobody reads yet, and each takes room in the kernel
		for id := range uint32(n) {
			calls = frame.Append(calls, appendCall(nil, 2*id, 0, 0, "/told"))
			calls = frame.Append(calls, appendCall(nil, 2*id+1, flagOneWay, 0, "/told"))
		}
		_, err = a.SendFrames(soon(t), calls)
		is.NoErr(err)
		is.NoErr(a.Close())
		s.ServeConn(b)
		is.Equal(told.Load(), int32(2*n))
	}
}
