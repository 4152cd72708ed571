// Command shm-writer puts a message into shared memory, prints the segment's
// name, and keeps the segment until Enter or a signal.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/ipcctl/ipc/shm"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("shm-writer: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	in := bufio.NewReader(os.Stdin)
	message := strings.Join(os.Args[1:], " ")
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, "Message: ")
		line, _ := in.ReadString('\n')
		message = strings.TrimRight(line, "\r\n")
	}
	if message == "" {
		return fmt.Errorf("the message is empty; give one as an argument or on stdin")
	}

	// Whoever ends us by a signal still finds the segment removed.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it, a terminal that is closed sends it
		signal.Notify(signals, syscall.SIGHUP)
	}

	segment, err := shm.Create("", len(message), nil)
	if err != nil {
		return err
	}
	defer shm.Remove(segment.Name())
	defer segment.Close()
	if _, err := segment.WriteAt([]byte(message), 0); err != nil {
		return err
	}
	fmt.Println(segment.Name())
	fmt.Fprintln(os.Stderr, "Press Enter to remove the segment.")

	enter := make(chan bool)
	go func() {
		if _, err := in.ReadString('\n'); err == nil { // the end of stdin is no Enter
			close(enter)
		}
	}()
	select {
	case <-enter:
	case <-signals:
	}
	return nil
}
