package socket_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipcctl/ipc/acl"
	"github.com/ipcctl/ipc/socket"
)

// A server and a client in one process, to keep the example whole.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	path := filepath.Join(dir, "greeter")

	l, err := socket.Listen(path, nil) // mode 0600: this user alone
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		c, err := l.Accept(ctx)
		if err != nil {
			return
		}
		defer c.Close()
		if m, err := c.Recv(ctx); err == nil {
			_ = c.Send(ctx, fmt.Appendf(nil, "ACK: %s", m.Data))
		}
	}()

	c, err := socket.Dial(ctx, path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Send(ctx, []byte("hello")); err != nil {
		fmt.Println(err)
		return
	}
	m, err := c.Recv(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(m.Data))
	fmt.Println("the server is me:", int(c.Peer().PID) == os.Getpid())
	// Output:
	// ACK: hello
	// the server is me: true
}

// A policy decides who may connect, before a byte is read.
func ExampleListenOptions_policy() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "vault")

	policy, err := acl.Parse("example", []byte("deny any connect socket:**\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	refused := make(chan bool, 1)
	l, err := socket.Listen(path, &socket.ListenOptions{
		Policy:  policy,
		Refused: func(acl.Subject, error) { refused <- true },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go l.Accept(context.Background())

	c, err := socket.Dial(context.Background(), path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println("refused:", <-refused)
	// Output: refused: true
}

// Descriptors travel with messages.
func ExampleConn_Send_files() {
	a, b, err := socket.Pair()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	defer b.Close()
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()

	ctx := context.Background()
	if err := a.Send(ctx, []byte("write here"), w); err != nil {
		fmt.Println(err)
		return
	}
	w.Close() // the message has its own

	m, err := b.Recv(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	fmt.Fprintf(m.Files[0], "by way of %d descriptor", len(m.Files))
	buf := make([]byte, 64)
	n, _ := r.Read(buf)
	fmt.Printf("%s: %s\n", m.Data, buf[:n])
	// Output: write here: by way of 1 descriptor
}
