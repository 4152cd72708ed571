// Command socket-server prints every message that it receives on a Unix
// socket and answers "ACK: <message>".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/ipcctl/ipc/socket"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("socket-server: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context) error {
	l, err := listen()
	if err != nil {
		return err
	}
	defer l.Close()
	log.Printf("listening on %s", l.Addr())
	for {
		c, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := answer(ctx, c); err != nil && ctx.Err() == nil {
				log.Printf("%v: %v", c.Peer(), err)
			}
		}()
	}
}

// listen takes the socket that a service manager such as systemd has passed, or
// makes its own.
func listen() (*socket.Listener, error) {
	l, err := socket.ListenActivated("", nil)
	if !errors.Is(err, os.ErrNotExist) {
		return l, err
	}
	path, err := socketPath()
	if err != nil {
		return nil, err
	}
	return socket.Listen(path, nil)
}

// answer acknowledges every message of one client.
func answer(ctx context.Context, c *socket.Conn) error {
	for {
		m, err := c.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", m.Data)
		if err := c.Send(ctx, append([]byte("ACK: "), m.Data...)); err != nil {
			return err
		}
	}
}

// socketPath is the argument, or a file in the user's runtime folder.
func socketPath() (string, error) {
	switch len(os.Args) {
	case 1:
		dir := os.Getenv("XDG_RUNTIME_DIR")
		if dir == "" {
			dir = os.TempDir()
		}
		return filepath.Join(dir, "ipc-demo.sock"), nil
	case 2:
		return os.Args[1], nil
	}
	return "", errors.New("usage: socket-server [PATH]")
}
