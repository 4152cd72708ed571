package acl_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/ipcctl/ipc/acl"
)

func Example() {
	policy, err := acl.Parse("app.acl", []byte(`
# who may reach the daemon
set @operators = uid:1000, gid:600
allow @operators connect socket:/run/app.sock
allow any        call    rpc:/app.Status/*
deny  uid:1007   any     any
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	alice := acl.Subject{UID: 1000, GID: 1000} // usually from PeerOf
	mallory := acl.Subject{UID: 1007, GID: 600}
	fmt.Println(policy.Check(alice, "connect", "socket:/run/app.sock"))
	fmt.Println(policy.Check(mallory, "connect", "socket:/run/app.sock"))
	fmt.Println(policy.Check(alice, "remove", "socket:/run/app.sock"))
	// Output:
	// allowed by app.acl:4:1: allow @operators connect socket:/run/app.sock
	// denied by app.acl:6:1: deny uid:1007 any any
	// denied: no rule allows it
}

// A server of any kind, such as net/http or gRPC, asks who has connected.
func ExamplePeerOf() {
	path := "/tmp/acl-example-" + fmt.Sprint(os.Getpid())
	listener, err := net.Listen("unix", path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	conn, err := listener.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	peer, err := acl.PeerOf(conn.(*net.UnixConn))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(int(peer.UID) == os.Geteuid(), int(peer.PID) == os.Getpid())
	// Output: true true
}

// An HTTP server over a Unix socket: each request knows who asks.
func ExamplePeerOf_http() {
	policy, err := acl.Parse("app.acl", []byte("allow same-user call rpc:/status"))
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("unix", "/tmp/acl-example-http-"+fmt.Sprint(os.Getpid()))
	if err != nil {
		fmt.Println(err)
		return
	}
	type peerKey struct{}
	server := &http.Server{
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			peer, err := acl.PeerOf(c.(*net.UnixConn))
			if err != nil {
				return ctx // without a peer, the request below is denied
			}
			return context.WithValue(ctx, peerKey{}, peer)
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer, known := r.Context().Value(peerKey{}).(acl.Subject)
			if !known || !policy.Check(peer, "call", "rpc:"+r.URL.Path).Allowed {
				http.Error(w, "denied", http.StatusForbidden)
				return
			}
			fmt.Fprintln(w, "all is well")
		}),
	}
	go server.Serve(listener)
	defer server.Close()

	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", listener.Addr().String())
		},
	}}
	for _, path := range []string{"/status", "/shutdown"} {
		response, err := client.Get("http://daemon" + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Print(response.StatusCode, " ", string(body))
	}
	// Output:
	// 200 all is well
	// 403 denied
}

func ExampleParse_error() {
	_, err := acl.Parse("app.acl", []byte("allow root conect socket:/run/app.sock"))
	fmt.Println(err)
	// Output:
	// acl: app.acl:1:12: unknown action "conect": did you mean "connect"?
	// 	allow root conect socket:/run/app.sock
	// 	           ^
}

func ExamplePolicy_Explain() {
	policy, err := acl.Parse("app.acl", []byte("allow gid:600 put queue:jobs\ndeny uid:7 any queue:*"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(policy.Explain(acl.Subject{UID: 7, GID: 600}, "put", "queue:jobs"))
	// Output:
	// uid=7 gid=600 put queue:jobs: denied by app.acl:2:1: deny uid:7 any queue:*
	//   app.acl:1:1: overruled: allow gid:600 put queue:jobs
	//       gid 600 is gid:600; put is one of its actions; the resource is queue:jobs; overruled by app.acl:2:1
	//   app.acl:2:1: decides: deny uid:7 any queue:*
	//       uid 7 is uid:7; put is one of its actions; the resource is queue:*
}

func ExamplePolicy_Test() {
	policy, err := acl.Parse("app.acl", []byte(`
allow uid:7 put queue:jobs
expect allow uid:7 put queue:jobs
expect deny  any   put queue:jobs
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, result := range policy.Test() {
		fmt.Println(result)
	}
	// Output:
	// app.acl:3:1: ok: expect allow uid:7 put queue:jobs (put queue:jobs allowed by app.acl:2:1: allow uid:7 put queue:jobs)
	// app.acl:4:1: ok: expect deny any put queue:jobs (put queue:jobs denied: no rule allows it)
}

// A server that lets go of peers whom a changed policy no longer allows.
func ExampleWatch() {
	dir, err := os.MkdirTemp("", "acl-example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "app.acl")
	if err := os.WriteFile(path, []byte("allow uid:7 connect socket:/run/app.sock"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	watcher, err := acl.Watch(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer watcher.Close()

	connected := []acl.Subject{{UID: 7}} // who is served at the moment
	changed := make(chan struct{})
	watcher.Subscribe(func(c acl.Change) {
		defer close(changed)
		if c.Err != nil {
			fmt.Println("the old policy stays:", c.Err)
			return
		}
		for _, peer := range connected {
			fmt.Println(peer, c.Policy.Check(peer, "connect", "socket:/run/app.sock").Effect())
		}
	})
	next := filepath.Join(dir, "next")
	if err := os.WriteFile(next, []byte("allow uid:8 connect socket:/run/app.sock"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	if err := os.Rename(next, path); err != nil { // whole, in one step
		fmt.Println(err)
		return
	}
	<-changed
	// Output: uid=7 gid=0 deny
}

func ExamplePolicy_FileAccess() {
	policy, err := acl.Parse("app.acl", []byte("allow uid:7, gid:8 connect socket:/run/app.sock"))
	if err != nil {
		fmt.Println(err)
		return
	}
	access, err := policy.FileAccess("socket:/run/app.sock", 0, 0)
	fmt.Println(access, err)
	// Output: user::rw-,user:7:-w-,group::---,group:8:-w-,mask::-w-,other::--- <nil>
}
