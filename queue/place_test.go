package queue

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/matryer/is"
)

// A queue is a regular file on every system that has queues: what removes it
// shows in its number of names, and the list says where it is.
func TestNamedQueueIsAFile(t *testing.T) {
	is := is.New(t)
	name := uniqueName(t)
	q, err := Create(name, &Options{Capacity: 1, MaxMessage: 8})
	is.NoErr(err)
	defer q.Close()
	l, err := List()
	is.NoErr(err)
	at := slices.IndexFunc(l, func(i Info) bool { return i.Name == name })
	is.True(at >= 0)
	listed, err := os.Lstat(l[at].File.Path)
	is.NoErr(err)
	is.True(listed.Mode().IsRegular())
	own, err := q.File().Stat()
	is.NoErr(err)
	is.True(os.SameFile(listed, own))

	is.NoErr(q.TryPut([]byte("full")))
	waiting := make(chan error)
	go func() { waiting <- q.Put(t.Context(), []byte("waits")) }()
	for q.Stats().Waits == 0 { // ends: it sleeps, or the test's time-out
		select {
		case err := <-waiting:
			t.Fatal("a queue with a name counts as removed:", err)
		default:
		}
	}
	is.NoErr(Remove(name))
	is.True(errors.Is(<-waiting, ErrRemoved))
}
