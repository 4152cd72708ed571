// Command pipe passes a message from a child process to its parent.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"

	"github.com/ipcctl/ipc/pipe"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("pipe: ")
	run := parent
	if os.Getenv(pipe.EnvFD) != "" { // only a child has inherited an end
		run = child
	}
	if err := run(context.Background(), strings.Join(os.Args[1:], " ")); err != nil {
		log.Fatal(err)
	}
}

// parent starts this program again as its child and prints what it sends.
func parent(ctx context.Context, message string) error {
	if len(os.Args) < 2 {
		message = "hello from the child"
	}
	if message == "" {
		return errors.New("the message is empty; give one as an argument, or none for a default")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, message)
	cmd.Stderr = os.Stderr
	conn, err := pipe.Command(cmd)
	if err != nil {
		return err
	}
	defer conn.Close()
	m, err := conn.Recv(ctx)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return err
	}
	fmt.Printf("parent %d received from child %d: %s\n", os.Getpid(), cmd.Process.Pid, m.Data)
	return nil
}

// child sends the message through the end that its parent left it.
func child(ctx context.Context, message string) error {
	conn, err := pipe.FromEnv()
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Send(ctx, []byte(message))
}
