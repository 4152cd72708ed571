package main

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcserver"
)

// grpcCodec hands bytes through: gRPC does not pay for protobuf, and each message is
// copied once, out of the library's memory.
type grpcCodec struct{}

func (grpcCodec) Name() string { return "raw" }

func (grpcCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (grpcCodec) Unmarshal(data mem.BufferSlice, v any) error {
	p, n := v.(*[]byte), data.Len()
	*p = slices.Grow((*p)[:0], n)[:n]
	data.CopyTo(*p)
	return nil
}

// grpcWindow is more than any message here, as one who knows gRPC sets it for a connection
// that crosses no network: then nobody waits for the other's leave to send.
const grpcWindow = 8 << 20

func grpcServer() *grpc.Server {
	return grpc.NewServer(grpc.ForceServerCodecV2(grpcCodec{}), grpc.MaxRecvMsgSize(grpcWindow),
		grpc.InitialWindowSize(grpcWindow), grpc.InitialConnWindowSize(grpcWindow))
}

func grpcDial(j *Job) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+socketPath(j), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(grpcCodec{}), grpc.MaxCallRecvMsgSize(grpcWindow)),
		grpc.WithInitialWindowSize(grpcWindow), grpc.WithInitialConnWindowSize(grpcWindow))
}

var grpcEcho = grpc.ServiceDesc{
	ServiceName: "bench.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Echo",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			msg := new([]byte)
			return msg, decode(msg)
		},
	}},
}

var grpcPing = &pinger{
	serve: func(j *Job, ready func()) error {
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return err
		}
		srv := grpcServer()
		srv.RegisterService(&grpcEcho, struct{}{})
		ready()
		return srv.Serve(l)
	},
	dial: func(j *Job) (func([]byte) error, error) {
		cl, err := grpcDial(j)
		if err != nil {
			return nil, err
		}
		return func(msg []byte) error {
			var got []byte
			ctx, cancel := j.context()
			defer cancel()
			err := cl.Invoke(ctx, "/bench.Echo/Echo", &msg, &got)
			return sameLength(got, msg, err)
		}, nil
	},
}

// ttrpcPing uses protobuf's own BytesValue: ttrpc knows no other codec.
var ttrpcPing = &pinger{
	serve: func(j *Job, ready func()) error {
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return err
		}
		srv, err := ttrpc.NewServer()
		if err != nil {
			return err
		}
		srv.RegisterService("bench.Echo", &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{
			"Echo": func(_ context.Context, decode func(any) error) (any, error) {
				msg := new(wrapperspb.BytesValue)
				return msg, decode(msg)
			},
		}})
		ready()
		return srv.Serve(ctx, l)
	},
	dial: func(j *Job) (func([]byte) error, error) {
		c, err := net.Dial("unix", socketPath(j))
		if err != nil {
			return nil, err
		}
		cl := ttrpc.NewClient(c)
		return func(msg []byte) error {
			req, got := wrapperspb.BytesValue{Value: msg}, new(wrapperspb.BytesValue)
			ctx, cancel := j.context()
			defer cancel()
			err := cl.Call(ctx, "bench.Echo", "Echo", &req, got)
			return sameLength(got.Value, msg, err)
		}, nil
	},
}

// drpcCodec does the same for drpc.
type drpcCodec struct{}

func (drpcCodec) Marshal(v drpc.Message) ([]byte, error) { return *v.(*[]byte), nil }

func (drpcCodec) Unmarshal(data []byte, v drpc.Message) error {
	p := v.(*[]byte)
	*p = append((*p)[:0], data...) // the data is the library's
	return nil
}

type drpcEcho struct{}

// HandleRPC answers one call.
func (drpcEcho) HandleRPC(s drpc.Stream, method string) error {
	if method != "/bench.Echo/Echo" {
		return fmt.Errorf("no method %q", method)
	}
	var msg []byte
	if err := s.MsgRecv(&msg, drpcCodec{}); err != nil {
		return err
	}
	return s.MsgSend(&msg, drpcCodec{})
}

// drpcPing has as many connections as calls are in flight, since a connection
// of drpc carries one call at a time.
var drpcPing = &pinger{
	serve: func(j *Job, ready func()) error {
		l, err := net.Listen("unix", socketPath(j))
		if err != nil {
			return err
		}
		ready()
		return drpcserver.New(drpcEcho{}).Serve(ctx, l)
	},
	dial: func(j *Job) (func([]byte) error, error) {
		n := 1
		if j.Work == InFlight {
			n = flying
		}
		free := make(chan *drpcconn.Conn, n)
		for range n {
			c, err := net.Dial("unix", socketPath(j))
			if err != nil {
				return nil, err
			}
			free <- drpcconn.New(c)
		}
		return func(msg []byte) error {
			c := <-free
			var got []byte
			ctx, cancel := j.context()
			defer cancel()
			err := c.Invoke(ctx, "/bench.Echo/Echo", drpcCodec{}, &msg, &got)
			free <- c
			return sameLength(got, msg, err)
		}, nil
	},
}
