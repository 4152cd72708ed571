package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ipcctl/ipc/queue"
	"github.com/matryer/is"
)

// TestSleepers: a process that gets from an empty queue sleeps on a word of it.
func TestSleepers(t *testing.T) {
	is := is.New(t)
	name := "host-test-" + filepath.Base(t.TempDir()) + time.Now().Format("150405.000000000")
	q, err := queue.Create(name, nil)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	is.NoErr(err)
	defer queue.Remove(name)
	defer q.Close()
	path := "/dev/shm/ipcq." + name
	id, err := ID(path)
	if err != nil {
		t.Skip("no file behind the queue: ", err)
	}
	self := []int{os.Getpid()}
	found, hidden := Sleepers(id, self)
	is.Equal(found, nil)
	is.Equal(hidden, 0)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := q.Get(ctx)
		ended <- err
	}()
	for len(found) == 0 && ctx.Err() == nil { // until it has gone to sleep
		found, _ = Sleepers(id, self)
	}
	is.Equal(len(found), 1)
	is.Equal(found[0].PID, os.Getpid())
	other, err := os.Create(filepath.Join(t.TempDir(), "other"))
	is.NoErr(err)
	defer other.Close()
	id, err = ID(other.Name())
	is.NoErr(err)
	found, _ = Sleepers(id, self)
	is.True(!slices.ContainsFunc(found, func(Sleeper) bool { return true })) // on no word of another file
	cancel()
	is.True(errors.Is(<-ended, context.Canceled))
}
