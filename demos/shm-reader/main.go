// Command shm-reader prints the message in a shared-memory segment, such as
// shm-writer makes. It asks for the segment's name or takes it as an argument.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/ipcctl/ipc/shm"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("shm-reader: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	var name string
	switch len(os.Args) {
	case 1:
		fmt.Fprint(os.Stderr, "Segment: ")
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		name = strings.TrimSpace(line)
	case 2:
		name = os.Args[1]
	default:
		return errors.New("usage: shm-reader [NAME]")
	}
	if name == "" {
		return errors.New("the name is empty; shm-writer prints the one to give")
	}

	segment, err := shm.OpenReader(name, nil)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("no segment %q; is shm-writer still running?", name)
	}
	if err != nil {
		return err
	}
	defer segment.Close()
	message := make([]byte, segment.Size())
	if _, err := segment.ReadAt(message, 0); err != nil {
		return err
	}
	// Some systems round the size up to a page: what follows is zero.
	fmt.Printf("%s\n", bytes.TrimRight(message, "\x00"))
	return nil
}
