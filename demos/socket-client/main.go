// Command socket-client sends the message that it is given on stdin to
// socket-server and prints the answer.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ipcctl/ipc/socket"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("socket-client: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	path, err := socketPath()
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stderr, "Message: ")
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	message := strings.TrimRight(line, "\r\n")
	if message == "" {
		return errors.New("the message is empty; write one on stdin")
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := socket.Dial(ctx, path, nil)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no server at %s; start socket-server first", path)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Send(ctx, []byte(message)); err != nil {
		return err
	}
	answer, err := c.Recv(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", answer.Data)
	return nil
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
	return "", errors.New("usage: socket-client [PATH]")
}
