package rpc_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ipcctl/ipc/socket"
	"github.com/ipcctl/ipc/socket/rpc"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "greeter")
	ctx := context.Background()

	l, err := socket.Listen(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := &rpc.Server{}
	srv.HandleFunc("/greeter/Hello", func(_ context.Context, c *rpc.Call) ([]byte, error) {
		if len(c.Data) == 0 {
			return nil, rpc.Errorf(rpc.CodeInvalid, "who are you?")
		}
		return fmt.Appendf(nil, "hello, %s", c.Data), nil
	})
	go srv.Serve(l)
	defer srv.Shutdown(ctx)

	client := rpc.Dial(path, nil) // reconnects when it must
	defer client.Close()
	reply, err := client.Call(ctx, "/greeter/Hello", []byte("world"))
	fmt.Printf("%s %v\n", reply, err)
	_, err = client.Call(ctx, "/greeter/Hello", nil)
	fmt.Println(err)
	// Output:
	// hello, world <nil>
	// rpc: call "/greeter/Hello": who are you? (code 6)
}

func ExampleClient_Stream() {
	srv := &rpc.Server{}
	srv.HandleFunc("/count", func(ctx context.Context, c *rpc.Call) ([]byte, error) {
		for i := range 3 {
			if err := c.Send(ctx, fmt.Append(nil, i)); err != nil {
				return nil, err
			}
		}
		return []byte("that was all"), nil
	})
	a, b, err := socket.Pair()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.ServeConn(a)
	client := rpc.NewClient(b)
	defer client.Close()

	ctx := context.Background()
	s, err := client.Stream(ctx, "/count", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for {
		m, err := s.Recv(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(m.Data))
	}
	fmt.Println(string(s.Reply().Data))
	// Output:
	// 0
	// 1
	// 2
	// that was all
}

func ExampleTyped() {
	type pair struct{ A, B int }
	srv := &rpc.Server{}
	srv.Handle("/add", rpc.Typed(rpc.JSON{}, func(_ context.Context, _ *rpc.Call, p pair) (int, error) {
		return p.A + p.B, nil
	}))
	a, b, err := socket.Pair()
	if err != nil {
		fmt.Println(err)
		return
	}
	go srv.ServeConn(a)
	client := rpc.NewClient(b)
	defer client.Close()
	sum, err := rpc.Invoke[int](context.Background(), client, rpc.JSON{}, "/add", pair{40, 2})
	fmt.Println(sum, err)
	// Output: 42 <nil>
}
