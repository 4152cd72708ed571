package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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

	for _, job := range []string{"resize 1.png", "resize 2.png"} {
		if err := jobs.Put(ctx, []byte(job)); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := jobs.CloseWrite(); err != nil { // Messages ends
		fmt.Println(err)
		return
	}

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

// A daemon takes up the queue of its last run.
func ExampleOpenOrCreate() {
	ctx := context.Background()
	name := fmt.Sprintf("example.daemon.%d", os.Getpid())
	defer queue.Remove(name)

	for run := range 2 {
		jobs, err := queue.OpenOrCreate(name, &queue.Options{MaxAttempts: 3})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("run %d finds %d jobs\n", run, jobs.Len())
		if err := jobs.Put(ctx, []byte("resize 1.png")); err != nil {
			fmt.Println(err)
			return
		}
		jobs.Close() // as the end of the process does
	}
	// Output:
	// run 0 finds 0 jobs
	// run 1 finds 1 jobs
}

func ExampleQueue_Lease() {
	ctx := context.Background()
	jobs, err := queue.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer jobs.Close()
	if err := jobs.Put(ctx, []byte("charge card 17")); err != nil {
		fmt.Println(err)
		return
	}
	if err := jobs.CloseWrite(); err != nil {
		fmt.Println(err)
		return
	}
	for { // or: for job, err := range jobs.Leases(ctx)
		job, err := jobs.Lease(ctx)
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		// If the process dies here, another consumer gets the job.
		fmt.Printf("%s, delivery %d\n", job.Bytes(), job.Attempts())
		if job.Attempts() == 1 {
			err = job.Nack() // failed: once more, please
		} else {
			err = job.Ack()
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
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
	msg, err := q.Get(ctx)
	fmt.Println(string(msg), err)
	// Output: hello <nil>
}
