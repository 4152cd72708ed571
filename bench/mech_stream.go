package main

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcserver"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/rpc"
)

// Messages over the stream of one call: the producer calls and sends until it is told to
// leave, and the consumer's handler counts.

// count calls recv until the end of the stream.
func count(recv func() error) (n int64, err error) {
	for ; ; n++ {
		if err := recv(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

// counted is what a handler tells consume.
type counted struct {
	n   int64
	err error
}

// producing makes the producer's side of how to open a stream.
func producing(open func(j *Job) (send func([]byte) error, finish func() error, err error)) *flow {
	return &flow{
		setup: nothing,
		produce: func(j *Job) (func([]byte, int) error, func() error, error) {
			send, finish, err := open(j)
			return func(msg []byte, n int) error {
				for range n {
					if err := send(msg); err != nil {
						return err
					}
				}
				return nil
			}, finish, err
		},
	}
}

// streaming makes a flow of how to open a stream, and of how to serve one until the
// handler is done and the client has its reply.
func streaming(open func(j *Job) (send func([]byte) error, finish func() error, err error), serve func(l net.Listener, done func(int64, error)) error) *flow {
	f := producing(open)
	f.consume = func(j *Job, ready func()) (int64, error) {
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return 0, err
		}
		ready()
		was := make(chan counted, 1)
		if err := serve(l, func(n int64, err error) { was <- counted{n, err} }); err != nil {
			return 0, err
		}
		c := <-was
		return c.n, c.err
	}
	return f
}

//go:noinline
func rpcStream(w way, reuse bool) *flow {
	f := producing(func(j *Job) (func([]byte) error, func() error, error) {
		cl := rpc.Dial(socketPath(j), &rpc.ClientOptions{Socket: &socket.DialOptions{Conn: connOptions(w)}})
		s, err := cl.Stream(ctx, "/bench/Count", nil)
		if err != nil {
			return nil, nil, err
		}
		return func(msg []byte) error { return s.Send(ctx, msg) }, func() error {
			if err := s.CloseSend(ctx); err != nil {
				return err
			}
			if _, err := s.Recv(ctx); err != io.EOF {
				return err
			}
			return cl.Close()
		}, nil
	})
	f.consume = func(j *Job, ready func()) (int64, error) {
		c, err := listenOne(j, w, ready)
		if err != nil {
			return 0, err
		}
		was := make(chan counted, 1)
		srv := new(rpc.Server)
		srv.HandleFunc("/bench/Count", func(ctx context.Context, c *rpc.Call) ([]byte, error) {
			var buf []byte
			if reuse {
				buf = make([]byte, j.Size)
			}
			n, err := count(func() error { _, err := c.RecvInto(ctx, buf); return err })
			was <- counted{n, err}
			return nil, err
		})
		srv.ServeConn(c)
		r := <-was
		return r.n, r.err
	}
	return f
}

var grpcCount = grpc.StreamDesc{StreamName: "Count", ClientStreams: true}

//go:noinline
func grpcStream() *flow {
	return streaming(func(j *Job) (func([]byte) error, func() error, error) {
		cl, err := grpcDial(j)
		if err != nil {
			return nil, nil, err
		}
		s, err := cl.NewStream(ctx, &grpcCount, "/bench.Count/Count")
		if err != nil {
			return nil, nil, err
		}
		return func(msg []byte) error { return s.SendMsg(&msg) }, func() error {
			if err := s.CloseSend(); err != nil {
				return err
			}
			var reply []byte
			return errors.Join(s.RecvMsg(&reply), cl.Close())
		}, nil
	}, func(l net.Listener, done func(int64, error)) error {
		srv := grpcServer()
		desc := grpcCount
		desc.Handler = func(_ any, s grpc.ServerStream) error {
			var msg []byte
			n, err := count(func() error { return s.RecvMsg(&msg) })
			done(n, err)
			go srv.GracefulStop() // waits for this handler
			return errors.Join(err, s.SendMsg(new([]byte)))
		}
		srv.RegisterService(&grpc.ServiceDesc{ServiceName: "bench.Count", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc}}, struct{}{})
		return srv.Serve(l)
	})
}

//go:noinline
func ttrpcStream() *flow {
	return streaming(func(j *Job) (func([]byte) error, func() error, error) {
		c, err := net.Dial("unix", socketPath(j))
		if err != nil {
			return nil, nil, err
		}
		cl := ttrpc.NewClient(c)
		s, err := cl.NewStream(ctx, &ttrpc.StreamDesc{StreamingClient: true}, "bench.Count", "Count", nil)
		if err != nil {
			return nil, nil, err
		}
		m := new(wrapperspb.BytesValue)
		return func(msg []byte) error { m.Value = msg; return s.SendMsg(m) }, func() error {
			if err := s.CloseSend(); err != nil {
				return err
			}
			return errors.Join(s.RecvMsg(new(wrapperspb.BytesValue)), cl.Close())
		}, nil
	}, func(l net.Listener, done func(int64, error)) error {
		srv, err := ttrpc.NewServer()
		if err != nil {
			return err
		}
		srv.RegisterService("bench.Count", &ttrpc.ServiceDesc{Streams: map[string]ttrpc.Stream{"Count": {
			StreamingClient: true,
			Handler: func(_ context.Context, s ttrpc.StreamServer) (any, error) {
				m := new(wrapperspb.BytesValue)
				n, err := count(func() error { return s.RecvMsg(m) })
				done(n, err)
				return new(wrapperspb.BytesValue), err
			},
		}}})
		// Its Shutdown may close the connection before the reply is out.
		one := &oneConn{Listener: l, closed: func() { _ = srv.Close() }}
		if err := srv.Serve(ctx, one); !errors.Is(err, ttrpc.ErrServerClosed) {
			return err
		}
		return nil
	})
}

// oneConn is a listener that tells when a connection is closed.
type oneConn struct {
	net.Listener
	closed func()
}

// Accept accepts a connection.
func (l *oneConn) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return closing{c, l.closed}, err
}

type closing struct {
	net.Conn
	closed func()
}

// Close closes the connection.
func (c closing) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// drpcCounter counts the messages of a stream.
type drpcCounter func(int64, error)

// HandleRPC serves one stream.
func (done drpcCounter) HandleRPC(s drpc.Stream, _ string) error {
	var msg []byte
	n, err := count(func() error { return s.MsgRecv(&msg, drpcCodec{}) })
	done(n, err)
	return errors.Join(err, s.MsgSend(new([]byte), drpcCodec{}))
}

// drpcStream writes each message, or with gather as many as fit its buffer, which is as
// long as ours then.
//
//go:noinline
func drpcStream(gather bool) *flow {
	return streaming(func(j *Job) (func([]byte) error, func() error, error) {
		c, err := net.Dial("unix", socketPath(j))
		if err != nil {
			return nil, nil, err
		}
		var o drpcconn.Options
		if gather {
			o.Manager.WriterBufferSize = 64 << 10
		}
		cl := drpcconn.NewWithOptions(c, o)
		s, err := cl.NewStream(ctx, "/bench.Count/Count", drpcCodec{})
		if err != nil {
			return nil, nil, err
		}
		flusher, ok := s.(interface{ SetManualFlush(bool) })
		if !ok && gather {
			return nil, nil, errors.New("its stream has no SetManualFlush")
		}
		if gather {
			flusher.SetManualFlush(true)
		}
		return func(msg []byte) error { return s.MsgSend(&msg, drpcCodec{}) }, func() error {
			if gather {
				flusher.SetManualFlush(false)
			}
			if err := s.CloseSend(); err != nil {
				return err
			}
			var reply []byte
			return errors.Join(s.MsgRecv(&reply, drpcCodec{}), cl.Close())
		}, nil
	}, func(l net.Listener, done func(int64, error)) error {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		_ = drpcserver.New(drpcCounter(done)).ServeOne(ctx, c) // ends with the client's Close
		return nil
	})
}
