package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
)

// kernelCredentials are transport credentials of gRPC that ask the kernel who is
// there: each side's AuthInfo is the other's acl.Subject.
type kernelCredentials struct{}

type kernelInfo struct {
	credentials.CommonAuthInfo
	acl.Subject
}

func (kernelInfo) AuthType() string { return "kernel" }

func (kernelCredentials) handshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	who, ok := socket.PeerOf(c)
	if !ok {
		return nil, nil, fmt.Errorf("a connection of package %T", c)
	}
	// What no network carries needs no encryption.
	return c, kernelInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, who}, nil
}

func (k kernelCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return k.handshake(c)
}

func (k kernelCredentials) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return k.handshake(c)
}

func (kernelCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "kernel"}
}
func (k kernelCredentials) Clone() credentials.TransportCredentials { return k }
func (kernelCredentials) OverrideServerName(string) error           { return nil }

var grpcWhoAmI = grpc.ServiceDesc{
	ServiceName: "test.Who",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "AmI",
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(new([]byte)); err != nil {
				return nil, err
			}
			p, _ := peer.FromContext(ctx)
			who, ok := p.AuthInfo.(kernelInfo)
			reply := fmt.Appendf(nil, "%v uid %d pid %d", ok, who.UID, who.PID)
			return &reply, nil
		},
	}},
}

// gRPC runs over the listener of package socket: handlers know the caller from
// the kernel, callers know the server, and whom the listener's policy does not
// admit gets no connection.
func TestGRPCOverOurListener(t *testing.T) {
	own := os.Geteuid()
	for _, c := range []struct {
		name, policy string
		code         codes.Code
	}{
		{"admitted", fmt.Sprintf("allow uid:%d connect socket:/**\n", own), codes.OK},
		{"refused", fmt.Sprintf("allow uid:%d connect socket:/**\n", own+1), codes.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			policy, err := acl.Parse("test", []byte(c.policy))
			is.NoErr(err)
			refused := make(chan error, 64)
			path := filepath.Join(t.TempDir(), "s")
			l, err := socket.Listen(path, &socket.ListenOptions{Policy: policy, Refused: func(who acl.Subject, err error) {
				if int(who.UID) != own {
					err = fmt.Errorf("uid %d was refused: %w", who.UID, err)
				}
				select {
				case refused <- err:
				default:
				}
			}})
			is.NoErr(err)
			srv := grpc.NewServer(grpc.ForceServerCodecV2(grpcCodec{}), grpc.Creds(kernelCredentials{}))
			srv.RegisterService(&grpcWhoAmI, struct{}{})
			served := make(chan error, 1)
			go func() { served <- srv.Serve(l.NetListener()) }()

			cl, err := grpc.NewClient("passthrough:///"+path, grpc.WithTransportCredentials(kernelCredentials{}),
				grpc.WithDefaultCallOptions(grpc.ForceCodecV2(grpcCodec{})),
				grpc.WithContextDialer(func(ctx context.Context, path string) (net.Conn, error) {
					c, err := socket.Dial(ctx, path, nil)
					if err != nil {
						return nil, err
					}
					return c.NetConn(), nil
				}))
			is.NoErr(err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // bounds a hang
			defer cancel()
			var req, reply []byte
			var server peer.Peer
			err = cl.Invoke(ctx, "/test.Who/AmI", &req, &reply, grpc.Peer(&server))
			is.Equal(status.Code(err), c.code)
			if c.code == codes.OK {
				is.Equal(string(reply), fmt.Sprintf("true uid %d pid %d", own, os.Getpid()))
				who, ok := server.AuthInfo.(kernelInfo)
				is.True(ok && int(who.UID) == own)
				is.Equal(len(refused), 0)
			} else {
				is.True(errors.Is(<-refused, os.ErrPermission))
			}
			is.NoErr(cl.Close())
			srv.GracefulStop()
			is.NoErr(<-served)
		})
	}
}
