package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ipcctl/ipc/queue"
)

func Example() {
	ctx := context.Background()
	name := fmt.Sprintf("example.%d", os.Getpid())

	jobs, err := queue.Create(name, &queue.Options{Capacity: 100, MaxMessage: 4096})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer queue.Remove(name)
	defer jobs.Close()

	jobs.Put(ctx, []byte("resize 1.png"))
	jobs.Put(ctx, []byte("resize 2.png"))
	jobs.CloseWrite()

	// Usually in another process, after queue.Open(name, nil).
	for msg, err := range jobs.Messages(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", msg)
	}
	// Output:
	// resize 1.png
	// resize 2.png
}

func ExampleQueue_Lease() {
	ctx := context.Background()
	jobs, err := queue.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer jobs.Close()
	jobs.Put(ctx, []byte("charge card 17"))

	job, err := jobs.Lease(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	// If the process dies here, another consumer gets the job.
	fmt.Printf("%s, delivery %d\n", job.Bytes(), job.Attempts())
	job.Nack() // failed: once more, please

	job, _ = jobs.Lease(ctx)
	fmt.Printf("%s, delivery %d\n", job.Bytes(), job.Attempts())
	job.Ack()
	// Output:
	// charge card 17, delivery 1
	// charge card 17, delivery 2
}

func ExampleQueue_TryPut() {
	q, err := queue.Anonymous(&queue.Options{Capacity: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	fmt.Println(q.TryPut([]byte("a")))
	fmt.Println(errors.Is(q.TryPut([]byte("b")), queue.ErrFull))
	// Output:
	// <nil>
	// true
}

func ExampleQueue_Reserve() {
	ctx := context.Background()
	q, err := queue.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Close()
	r, err := q.Reserve(ctx, 5)
	if err != nil {
		fmt.Println(err)
		return
	}
	copy(r.Bytes(), "hello") // into shared memory, no copy later
	if err := r.Commit(ctx); err != nil {
		fmt.Println(err)
		return
	}
	msg, _ := q.Get(ctx)
	fmt.Println(string(msg))
	// Output: hello
}
