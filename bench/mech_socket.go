package main

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/rpc"
)

// way is how the messages of a connection go.
type way int

const (
	asIs way = iota
	spinning
	shared
)

func connOptions(w way) (o socket.ConnOptions) {
	o.MaxMessage = 8 << 20
	switch w {
	case spinning:
		o.Spin = 50 * time.Microsecond
	case shared:
		o.SharedBuffer = 256 << 10
	}
	return o
}

func socketPath(j *Job) string { return filepath.Join(j.Dir, "s") }

func listenOne(j *Job, w way, ready func()) (*socket.Conn, error) {
	l, err := socket.Listen(socketPath(j), &socket.ListenOptions{Conn: connOptions(w)})
	if err != nil {
		return nil, err
	}
	ready()
	return l.Accept(ctx)
}

//go:noinline
func socketPing(w way) *pinger {
	return &pinger{
		serve: func(j *Job, ready func()) error {
			c, err := listenOne(j, w, ready)
			if err != nil {
				return err
			}
			for buf := make([]byte, j.Size); ; {
				m, err := c.RecvInto(ctx, buf)
				if err != nil {
					return err
				}
				j.think()
				if err := c.Send(ctx, m.Data); err != nil {
					return err
				}
			}
		},
		dial: func(j *Job) (func([]byte) error, error) {
			c, err := socket.Dial(ctx, socketPath(j), &socket.DialOptions{Conn: connOptions(w)})
			if err != nil {
				return nil, err
			}
			buf := make([]byte, j.Size)
			return func(msg []byte) error {
				if err := c.Send(ctx, msg); err != nil {
					return err
				}
				m, err := c.RecvInto(ctx, buf)
				return sameLength(m.Data, msg, err)
			}, nil
		},
	}
}

func nothing(*Job) (func() error, func(), error) {
	return func() error { return nil }, func() {}, nil
}

//go:noinline
func socketFlow(w way, coalesced bool) *flow {
	return &flow{
		setup: nothing,
		produce: func(j *Job) (func([]byte, int) error, func() error, error) {
			c, err := socket.Dial(ctx, socketPath(j), &socket.DialOptions{Conn: connOptions(w)})
			if err != nil {
				return nil, nil, err
			}
			return func(msg []byte, n int) (err error) {
					for range n {
						if coalesced {
							err = c.SendBuffered(ctx, msg)
						} else {
							err = c.Send(ctx, msg)
						}
						if err != nil {
							return err
						}
					}
					return nil
				}, func() error {
					if err := c.Flush(ctx); err != nil {
						return err
					}
					return c.Close()
				}, nil
		},
		consume: func(j *Job, ready func()) (n int64, err error) {
			c, err := listenOne(j, w, ready)
			if err != nil {
				return 0, err
			}
			for buf := make([]byte, j.Size); ; n++ {
				if _, err := c.RecvInto(ctx, buf); err == io.EOF {
					return n, nil
				} else if err != nil {
					return n, err
				}
			}
		},
	}
}

//go:noinline
func rpcPing(w way, reuse bool) *pinger {
	return &pinger{
		serve: func(j *Job, ready func()) error {
			l, err := socket.Listen(socketPath(j), &socket.ListenOptions{MaxConns: j.Many + 16, Conn: connOptions(w)})
			if err != nil {
				return err
			}
			srv := new(rpc.Server)
			srv.HandleFunc("/bench/Echo", func(_ context.Context, c *rpc.Call) ([]byte, error) {
				if reuse {
					c.ReuseData()
				}
				return c.Data, nil
			})
			ready()
			return srv.Serve(l)
		},
		dial: func(j *Job) (func([]byte) error, error) {
			cl := rpc.Dial(socketPath(j), &rpc.ClientOptions{Socket: &socket.DialOptions{Conn: connOptions(w)}})
			if reuse {
				return callReusing(cl, j.Size), nil
			}
			return func(msg []byte) error {
				ctx, cancel := j.context()
				defer cancel()
				got, err := cl.Call(ctx, "/bench/Echo", msg)
				return sameLength(got, msg, err)
			}, nil
		},
	}
}

// rpcTimeout tells the deadline in the request, without a context for each call.
var rpcTimeout = &pinger{
	serve: rpcPing(asIs, false).serve,
	dial: func(j *Job) (func([]byte) error, error) {
		cl := rpc.Dial(socketPath(j), &rpc.ClientOptions{Socket: &socket.DialOptions{Conn: connOptions(asIs)}})
		return func(msg []byte) error {
			got, err := cl.Do(ctx, &rpc.Request{Method: "/bench/Echo", Data: msg, Timeout: time.Minute})
			return sameLength(got.Data, msg, err)
		}, nil
	},
}

// callReusing calls with requests whose buffers are used again, one for each call that
// is under way.
func callReusing(cl *rpc.Client, size int) func([]byte) error {
	free := make(chan *rpc.Request, flying)
	for range flying {
		free <- &rpc.Request{Method: "/bench/Echo", Buffer: make([]byte, size)}
	}
	return func(msg []byte) error {
		req := <-free
		defer func() { free <- req }()
		req.Data = msg
		got, err := cl.Do(ctx, req)
		return sameLength(got.Data, msg, err)
	}
}
