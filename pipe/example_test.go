//go:build unix

package pipe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipcctl/ipc/pipe"
)

func Example() {
	ctx := context.Background()
	r, w, err := pipe.New()
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for _, word := range []string{"one", "two", "three"} {
			if err := w.SendBuffered(ctx, []byte(word)); err != nil {
				log.Print(err)
			}
		}
		if err := w.Close(); err != nil {
			log.Print(err)
		}
	}()
	for {
		msg, err := r.Recv(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(msg))
	}
	// Output:
	// one
	// two
	// three
}

// A reader of a FIFO that outlives its writers.
func ExampleOpenReader() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	fifo, err := pipe.Create(filepath.Join(dir, "news"), nil)
	if err != nil {
		log.Fatal(err)
	}
	r, err := pipe.OpenReader(ctx, fifo.Path(), &pipe.ReaderOptions{Persistent: true})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	for _, word := range []string{"from the first", "from the second"} {
		w, err := pipe.OpenWriter(ctx, fifo.Path(), nil)
		if err != nil {
			log.Fatal(err)
		}
		if err := w.Send(ctx, []byte(word)); err != nil {
			log.Fatal(err)
		}
		_ = w.Close()
		msg, err := r.Recv(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(msg))
	}
	// Output:
	// from the first
	// from the second
}

// Nobody comes: the open ends with its context and says for whom it waited.
func ExampleOpenWriter() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "fifo")
	if _, err := pipe.Create(path, nil); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = pipe.OpenWriter(ctx, path, nil)
	fmt.Println(errors.Is(err, pipe.ErrNoReader), errors.Is(err, context.DeadlineExceeded))
	// Output: true true
}

func ExampleRelay() {
	r, w, err := pipe.New()
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(w, strings.NewReader("through the pipe")) // uses Relay
		_ = w.Close()
	}()
	moved, err := pipe.Relay(context.Background(), os.Stdout, r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("\n", moved.Out, "bytes")
	// Output:
	// through the pipe
	//  16 bytes
}
