package command_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/queue"
	"github.com/matryer/is"
)

// newQueue makes a queue of this test's own with the command.
func newQueue(t *testing.T, flags ...string) string {
	t.Helper()
	name := fmt.Sprintf("ipcctl-test-%08x", rand.Uint32())
	t.Cleanup(func() { queue.Remove(name) })
	if out := must(t, "", append([]string{"queue", "create", name}, flags...)...); out != name+"\n" {
		t.Fatalf("queue create printed %q", out)
	}
	return name
}

func TestQueue(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--capacity", "10", "--max-message", "1KiB")
	is.Equal(must(t, "", "queue", "put", name, "one", "number two", ""), "")
	must(t, "from\nstdin\n", "queue", "put", name)
	must(t, "a\nb\n\nc", "queue", "put", "--lines", name)
	is.Equal(must(t, "", "queue", "get", name), "one\n")
	is.Equal(must(t, "", "queue", "get", "--count", "2", name), "number two\n\n")
	is.Equal(must(t, "", "queue", "get", name, "--raw"), "from\nstdin\n")
	is.Equal(must(t, "", "queue", "get", name, "--count=4", "--timeout=1s"), "a\nb\n\nc\n")
	fails(t, 5, []string{"queue", "get", name, "--timeout", "0"}, name, "empty")
	must(t, "", "queue", "put", name, "there", "--timeout", "0") // which don't wait, and need not
	is.Equal(must(t, "", "queue", "get", name, "--timeout", "0"), "there\n")
	fails(t, 5, []string{"queue", "get", name, "--timeout", "30ms"}, name, "still empty after 30ms")

	must(t, "\xff\x00", "queue", "put", name)
	o := conforms(t, "ipcctl queue get", must(t, "", "queue", "get", name, "--json"))
	is.Equal(o[0]["message"], "/wA=")
	is.Equal(o[0]["size"], 2.0)
	is.Equal(must(t, "", "queue", "rm", name), "")
}

func TestQueueBetweenProcesses(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	follow := start(t, "", "queue", "get", name, "--follow")
	for i := range 3 {
		must(t, "", "queue", "put", name, fmt.Sprint(i))
		is.Equal(next(t, follow.lines), fmt.Sprint(i))
	}
	must(t, "", "queue", "close", name)
	is.Equal(follow.status(t), 0) // closed and drained is the proper end
	fails(t, 1, []string{"queue", "get", name}, "closed")
	fails(t, 1, []string{"queue", "put", name, "x"}, "closed")
}

func TestQueueFull(t *testing.T) {
	name := newQueue(t, "--capacity", "2", "--max-message", "100")
	must(t, "", "queue", "put", name, "1", "2")
	fails(t, 5, []string{"queue", "put", name, "3", "--timeout", "0"}, "full")
	fails(t, 5, []string{"queue", "put", name, "3", "--timeout", "20ms"}, "still full")
	fails(t, 1, []string{"queue", "put", name, strings.Repeat("x", 101)}, "queue stat")
}

// TestQueueGetKeepsWhatItCannotWrite closes the reader of get's output: the
// message that could not be written is there for the next.
func TestQueueGetKeepsWhatItCannotWrite(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	must(t, "", "queue", "put", name, "precious")
	r, w, err := os.Pipe()
	is.NoErr(err)
	r.Close()
	cmd := command(t, "queue", "get", name)
	cmd.Stdout = w
	is.True(cmd.Run() != nil) // nobody reads its output
	w.Close()
	is.Equal(must(t, "", "queue", "get", name, "--timeout", "50s"), "precious\n")
}

func TestQueueStat(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--capacity", "100", "--max-message", "64")
	must(t, "", "queue", "put", name, "a", "b", "c")
	must(t, "", "queue", "get", name)
	o := conforms(t, "ipcctl queue stat", must(t, "", "queue", "stat", name, "--json"))[0]
	for field, want := range map[string]any{
		"name": name, "capacity": 100.0, "len": 2.0, "puts": 3.0, "gets": 1.0, "closed_write": false, "max_message": 64.0,
	} {
		if o[field] != want {
			t.Errorf("%s: got %v, want %v", field, o[field], want)
		}
	}
	get := start(t, "", "queue", "get", name, "--count", "3")
	next(t, get.lines)
	next(t, get.lines)
	text := must(t, "", "queue", "stat", name)
	is.True(strings.Contains(text, "waiting       0 of 100"))
	is.True(strings.Contains(text, fmt.Sprintf("ipcctl(%d) attached", get.cmd.Process.Pid)))
	get.interrupt(t)
}

func TestQueueDeadLetters(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--max-attempts", "1")
	must(t, "", "queue", "put", name, "poison", "too")
	q, err := queue.Open(name, nil)
	is.NoErr(err)
	defer q.Close()
	fail := func() {
		l, err := q.Lease(t.Context())
		is.NoErr(err)
		is.NoErr(l.Nack())
	}
	fail()
	fail()
	is.Equal(must(t, "", "queue", "requeue", name, "--count", "1"), "1\n")
	is.Equal(must(t, "", "queue", "dead", name), "too\n")
	is.Equal(must(t, "", "queue", "dead", name), "") // no more
	is.Equal(must(t, "", "queue", "get", name), "poison\n")
	o := conforms(t, "ipcctl queue requeue", must(t, "", "queue", "requeue", name, "--json"))
	is.Equal(o[0]["requeued"], 0.0)
	fail2 := newQueue(t)
	fails(t, 3, []string{"queue", "dead", fail2}, "--max-attempts")
	fails(t, 2, []string{"queue", "dead", name, "--count", "0"}, "at least 1")
}

// TestQueueRequeueEnds: what workers fail with again, while dead letters are put back, is
// not put back once more.
func TestQueueRequeueEnds(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--max-attempts", "1")
	q, err := queue.Open(name, nil)
	is.NoErr(err)
	defer q.Close()
	const letters = 500
	for range letters {
		is.NoErr(q.TryPut([]byte("poison")))
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for {
			l, err := q.Lease(ctx)
			if err == nil {
				err = l.Nack()
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	dead, err := queue.Open(queue.DeadName(name), nil)
	is.NoErr(err)
	defer dead.Close()
	for dead.Len() < letters {
		is.NoErr(t.Context().Err())
	}
	is.Equal(must(t, "", "queue", "requeue", name), fmt.Sprintln(letters))
	cancel()
	is.True(errors.Is(<-ended, context.Canceled))
}

func TestQueueInFile(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "jobs.queue")
	must(t, "", "queue", "create", path, "--capacity", "4")
	must(t, "", "queue", "put", path, "kept")
	is.Equal(must(t, "", "queue", "get", path), "kept\n")
	must(t, "", "queue", "rm", path)
	fails(t, 3, []string{"queue", "get", path}, path)
}

func TestQueueFailures(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--mode", "0640")
	fails(t, 1, []string{"queue", "create", name}, "exists", "queue rm")
	made := conforms(t, "ipcctl queue create", must(t, "", "queue", "create", name+"2", "--json"))
	queue.Remove(name + "2")
	is.Equal(made[0]["name"], name+"2")
	r := run(t, "", "queue", "rm", made[0]["name"].(string), name)
	is.Equal(r.code, 3)
	is.True(strings.Contains(r.err, "ipcctl ls") && !strings.Contains(r.err, "create")) // who removes wants no new one
	must(t, "", "queue", "create", name)
	for _, verb := range []string{"put", "get", "stat", "close", "rm"} {
		fails(t, 3, []string{"queue", verb, name + "3"}, name+"3", "ipcctl ls --kind queue")
	}
	for _, c := range []struct{ args, text string }{
		{"create", "NAME is missing"},
		{"create .x", "invalid"},
		{"create " + strings.Repeat("x", 201), "invalid"},
		{"create x --capacity 0", "--capacity 0"},
		{"create x --capacity -1", "--capacity -1"},
		{"create x --max-message 0", "--max-message 0"},
		{"create x --max-message lots", "lots"},
		{"create x --mode rw", "octal"},
		{"get " + name + " --count 0", "at least 1"},
		{"get " + name + " --count 2 --follow", "exclude"},
		{"get " + name + " --timeout 5", "5"},
		{"get " + name + " --timeout -5s", "negative"},
		{"put " + name + " x --lines", "--lines"},
	} {
		fails(t, 2, append([]string{"queue"}, strings.Fields(c.args)...), c.text)
	}
	segment := segmentName(t)
	must(t, "", "shm", "create", "--size", "4096", "--name", "ipcq."+segment)
	defer must(t, "", "shm", "rm", "ipcq."+segment)
	for _, verb := range []string{"put", "get", "stat", "rm"} {
		fails(t, 1, []string{"queue", verb, segment}, "not a queue")
	}
}

func TestQueueInterrupted(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	get := start(t, "", "queue", "get", name, "--follow")
	must(t, "", "queue", "put", name, "x")
	is.Equal(next(t, get.lines), "x")
	is.Equal(get.interrupt(t), -1) // ended by the signal, as a shell's loop needs it
	is.Equal(<-get.errs, "")       // and silently
}
