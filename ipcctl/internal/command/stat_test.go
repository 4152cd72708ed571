package command_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/queue"
	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

func TestStat(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	b := start(t, "", "stat", name, "--interval", "20ms", "--json", "--count", "200")
	next(t, b.lines) // it looks
	must(t, "", "queue", "put", name, "a", "b")
	seen := false
	for line := range b.lines {
		o := conforms(t, "ipcctl stat", line)[0]
		if o["puts_per_second"].(float64) > 0 {
			seen = true
			is.Equal(o["name"], name)
			break
		}
	}
	is.True(seen) // the rate of the two
	b.interrupt(t)
	out := must(t, "", "stat", name, "--interval", "10ms", "--count", "2")
	is.True(strings.Contains(out, "WAITING") && strings.Count(out, "\n") == 3)

	path, server := serving(t)
	out = must(t, "", "stat", path)
	is.True(strings.Contains(out, "live") && strings.Contains(out, fmt.Sprint(server.cmd.Process.Pid)))
	conforms(t, "ipcctl ls", must(t, "", "stat", path, "--json"))
	cmd := command(t, "stat", "./"+filepath.Base(path))
	cmd.Dir = filepath.Dir(path)
	is.Equal(finish(t, cmd).out, out) // however its path is written
	fails(t, 3, []string{"stat", "nothing-there"}, "ipcctl ls")
	fails(t, 3, []string{"stat", path, "--interval", "1s"}, "only queues")
	fails(t, 2, []string{"stat", name, "--interval", "-1s"}, "more than 0")
	fails(t, 2, []string{"stat", name, "--count", "2"}, "--interval")
}

// TestStatDead: a process that was killed uses a queue no longer, although nobody has
// cleaned up after it yet.
func TestStatDead(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	must(t, "", "queue", "put", name, "a")
	get := start(t, "", "queue", "get", name, "--count", "2")
	next(t, get.lines)
	users := func() any {
		return conforms(t, "ipcctl stat", must(t, "", "stat", name, "--interval", "1ms", "--count", "1", "--json"))[0]["users"]
	}
	is.Equal(users(), 1.0)
	is.NoErr(get.cmd.Process.Kill())
	get.status(t)
	is.True(strings.Contains(must(t, "", "queue", "stat", name), fmt.Sprintf("%d is dead", get.cmd.Process.Pid)))
	is.Equal(users(), 0.0)
}

// TestQueueTailOfMany: the newest messages are the newest of all, however many there are.
func TestQueueTailOfMany(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	name := newQueue(t, "--capacity", "10000", "--max-message", "64")
	q, err := queue.Open(name, nil)
	is.NoErr(err)
	defer q.Close()
	batch := make([][]byte, 100_000)
	for i := range batch {
		batch[i] = []byte("a")
	}
	for range 11 { // more than 1 << 20, packed
		_, err := q.PutBatch(t.Context(), batch)
		is.NoErr(err)
	}
	must(t, "", "queue", "put", name, "the newest")
	is.Equal(must(t, "", "queue", "tail", name, "--count", "2"), "a\nthe newest\n")
}

func TestQueueTail(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	must(t, "", "queue", "put", name, "a", "b", "c")
	is.Equal(must(t, "", "queue", "tail", name), "a\nb\nc\n")
	is.Equal(must(t, "", "queue", "tail", name, "--count", "2"), "b\nc\n")
	conforms(t, "ipcctl queue get", must(t, "", "queue", "tail", name, "--json"))
	b := start(t, "", "queue", "tail", name, "--follow", "--count", "1")
	is.Equal(next(t, b.lines), "c")
	must(t, "", "queue", "put", name, "d")
	is.Equal(next(t, b.lines), "d")
	b.interrupt(t)
	is.Equal(must(t, "", "queue", "get", name), "a\n") // nothing was taken

	b = start(t, "", "queue", "tail", name, "--follow")
	is.Equal(next(t, b.lines), "b")
	must(t, "", "queue", "close", name)
	must(t, "", "queue", "get", name, "--follow")
	is.Equal(b.status(t), 0) // nothing can come any more

	other := newQueue(t)
	b = start(t, "", "queue", "tail", other, "--follow")
	must(t, "", "queue", "put", other, "last")
	is.Equal(next(t, b.lines), "last")
	must(t, "", "queue", "rm", other)
	is.Equal(b.status(t), 1)
	fails(t, 3, []string{"queue", "tail", name + "x"}, name)
}

func TestShmDump(t *testing.T) {
	is := is.New(t)
	name := segmentName(t)
	must(t, "", "shm", "create", "--size", "40", "--name", name)
	must(t, "hello\x1b[31m\n", "shm", "write", name)
	golden(t, "shm.dump.hex.txt", must(t, "", "shm", "dump", name))
	golden(t, "shm.dump.text.txt", must(t, "", "shm", "dump", name, "--as", "text", "--length", "11"))
	fails(t, 2, []string{"shm", "dump", name, "--as", "hexa"}, `did you mean "hex"?`)
	fails(t, 3, []string{"shm", "dump", name + "x"}, name)

	list := segmentName(t)
	l, err := shm.CreateShareableList(list, []any{int64(1), -2.5, true, nil, "héllo", []byte("ab")}, nil)
	is.NoErr(err)
	defer l.Close()
	golden(t, "shm.dump.list.txt", must(t, "", "shm", "dump", list, "--as", "shareablelist"))
	is.Equal(run(t, "", "shm", "dump", name, "--as", "shareablelist").code, 1) // it is none
}

func TestShmWatch(t *testing.T) {
	is := is.New(t)
	name := segmentName(t)
	must(t, "", "shm", "create", "--size", "64KiB", "--name", name)
	b := start(t, "watching "+name, "shm", "watch", name, "--interval", "5ms", "--json")
	must(t, "", "shm", "write", name, "--offset", "40000", "abc")
	o := conforms(t, "ipcctl shm watch", next(t, b.lines))[0]
	is.Equal(o["offset"], 40000.0)
	is.Equal(o["bytes"], "616263")
	must(t, "", "shm", "rm", name)
	is.Equal(b.status(t), 0) // its name is gone
	fails(t, 3, []string{"shm", "watch", name}, name)
}
