// Command queue passes items from a producer process to a consumer process
// through a queue in shared memory.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/ipcctl/ipc/queue"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("queue: ")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		stop()
		log.Fatal(err)
	}
}

// run is told by its arguments which of the three processes it is.
func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 3 && args[0] == "produce":
		return produce(ctx, args[1], args[2])
	case len(args) == 2 && args[0] == "consume":
		return consume(ctx, args[1])
	case len(args) == 0:
		return parent(ctx, "5")
	case len(args) == 1:
		return parent(ctx, args[0])
	}
	return errors.New("usage: queue [ITEMS]")
}

// parent makes the queue and starts a producer and a consumer.
func parent(ctx context.Context, items string) error {
	if n, err := strconv.Atoi(items); err != nil || n < 1 {
		return fmt.Errorf("%q items: want a number of at least 1", items)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	q, err := queue.Create(fmt.Sprintf("demo-%d", os.Getpid()), nil)
	if err != nil {
		return err
	}
	defer queue.Remove(q.Name())
	defer q.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	producer := exec.CommandContext(ctx, self, "produce", q.Name(), items)
	consumer := exec.CommandContext(ctx, self, "consume", q.Name())
	for _, cmd := range []*exec.Cmd{producer, consumer} {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	consumed := make(chan error, 1)
	go func() {
		consumed <- consumer.Wait()
		cancel() // without it a producer would wait for room for ever
	}()
	produced := producer.Wait()
	closed := q.CloseWrite() // the consumer ends once it has everything
	return errors.Join(produced, closed, <-consumed)
}

func produce(ctx context.Context, name, items string) error {
	q, err := queue.Open(name, nil)
	if err != nil {
		return err
	}
	defer q.Close()
	n, err := strconv.Atoi(items)
	if err != nil {
		return err
	}
	for i := 1; i <= n; i++ {
		if err := q.Put(ctx, fmt.Appendf(nil, "item %d", i)); err != nil {
			return err
		}
		fmt.Printf("producer %d put item %d\n", os.Getpid(), i)
	}
	return nil
}

func consume(ctx context.Context, name string) error {
	q, err := queue.Open(name, nil)
	if err != nil {
		return err
	}
	defer q.Close()
	for {
		item, err := q.Get(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("consumer %d got %s\n", os.Getpid(), item)
	}
}
