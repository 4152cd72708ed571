package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/ipcctl/ipc/queue"
	"github.com/matryer/is"
)

// The processes are this test binary, run again with the name of a queue here.
const childEnv = "IPC_E2E_QUEUE"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := child(name, os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// call is one call on the queue: a put of Value, or a get that returned Value,
// or 0 if the queue was empty or full.
type call struct {
	Get     bool
	Value   int
	Failed  bool  // the queue was full, or empty
	Invoked int64 // on the clock that all processes of the host share, in nanoseconds
	Done    int64
}

const (
	producers, consumers = 4, 4
	each                 = 40 // calls of each process
	capacity             = 6  // small, so that it is often full and often empty
)

// model is a bounded FIFO queue. Its state is the waiting values.
var model = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		s, c := state.(string), input.(call)
		first, rest, _ := strings.Cut(s, ",")
		switch {
		case c.Get && c.Failed:
			return s == "", s
		case c.Get:
			return first == strconv.Itoa(c.Value), rest
		case c.Failed:
			return strings.Count(s, ",") == capacity, s
		}
		return strings.Count(s, ",") < capacity, s + strconv.Itoa(c.Value) + ","
	},
}

func TestLinearizable(t *testing.T) {
	is := is.New(t)
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		history := record(t, "fifo", os.Args[0])
		is.Equal(len(history), (producers+consumers)*each)
		if porcupine.CheckOperationsTimeout(model, history, time.Minute) != porcupine.Ok {
			t.Fatalf("no order of these calls is that of a FIFO queue: %+v", history)
		}
	}
}

// The checker must be able to reject: a queue of two halves used in turn is no
// FIFO queue.
func TestMutantIsRejected(t *testing.T) {
	for range 20 {
		history := record(t, "halves", os.Args[0])
		if porcupine.CheckOperationsTimeout(model, history, time.Minute) == porcupine.Illegal {
			return
		}
	}
	t.Fatal("20 histories of a queue that is not FIFO were accepted")
}

// record runs the processes, of each binary in turn, on a fresh queue and
// returns what they did.
func record(t *testing.T, kind string, binaries ...string) []porcupine.Operation {
	t.Helper()
	is := is.New(t)
	name := fmt.Sprintf("e2e.%d.%d", os.Getpid(), time.Now().UnixNano())
	for _, half := range []string{"", ".half"} {
		q, err := queue.Create(name+half, &queue.Options{Capacity: capacity, MaxMessage: 64})
		is.NoErr(err)
		defer queue.Remove(name + half)
		defer q.Close()
	}
	start := time.Now().Add(50 * time.Millisecond).UnixNano()
	var all []*exec.Cmd
	var outs []*strings.Builder
	for i := range producers + consumers {
		cmd := exec.Command(binaries[i%len(binaries)], strconv.Itoa(i), kind+" "+strconv.FormatInt(start, 10))
		cmd.Env = append(os.Environ(), childEnv+"="+name)
		out := new(strings.Builder)
		cmd.Stdout, cmd.Stderr = out, os.Stderr
		is.NoErr(cmd.Start())
		all, outs = append(all, cmd), append(outs, out)
	}
	var history []porcupine.Operation
	for i, cmd := range all {
		is.NoErr(cmd.Wait())
		lines := bufio.NewScanner(strings.NewReader(outs[i].String()))
		for lines.Scan() {
			var c call
			is.NoErr(json.Unmarshal(lines.Bytes(), &c))
			history = append(history, porcupine.Operation{ClientId: i, Input: c, Call: c.Invoked, Return: c.Done})
		}
	}
	return history
}

// child is process i: the first ones put, the others get, all at once.
func child(name, i, how string) error {
	id, err := strconv.Atoi(i)
	if err != nil {
		return err
	}
	kind, when, _ := strings.Cut(how, " ")
	start, err := strconv.ParseInt(when, 10, 64)
	if err != nil {
		return err
	}
	var queues []*queue.Queue
	for _, half := range []string{"", ".half"} {
		q, err := queue.Open(name+half, nil)
		if err != nil {
			return err
		}
		defer q.Close()
		queues = append(queues, q)
	}
	for time.Now().UnixNano() < start { // so that all begin at once
	}
	calls := make([]call, 0, each)
	for n := range each {
		q := queues[0]
		if kind == "halves" {
			q = queues[n%2]
		}
		c := call{Get: id >= producers, Value: id*each + n + 1, Invoked: monotonic()}
		if c.Get {
			c.Failed, c.Value, err = get(q, n)
		} else {
			c.Failed, err = put(q, n, c.Value)
		}
		c.Done = monotonic()
		if err != nil {
			return err
		}
		calls = append(calls, c)
	}
	out := json.NewEncoder(os.Stdout)
	for _, c := range calls {
		if err := out.Encode(c); err != nil {
			return err
		}
	}
	return nil
}

// put puts value, one time in three without waiting. The other times it gives
// up after a while: the consumers may be done. A call that gave up had found the
// queue full at its first look.
func put(q *queue.Queue, n, value int) (failed bool, err error) {
	msg := []byte(strconv.Itoa(value))
	err = q.TryPut(msg)
	if err == queue.ErrFull && n%3 != 0 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err = q.Put(ctx, msg); errors.Is(err, context.DeadlineExceeded) {
			err = queue.ErrFull
		}
	}
	if err == queue.ErrFull {
		return true, nil
	}
	return false, err
}

func get(q *queue.Queue, n int) (failed bool, value int, err error) {
	msg, err := q.TryGet()
	if err == queue.ErrEmpty && n%3 != 0 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if msg, err = q.Get(ctx); errors.Is(err, context.DeadlineExceeded) {
			err = queue.ErrEmpty
		}
	}
	if err == queue.ErrEmpty {
		return true, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	value, err = strconv.Atoi(string(msg))
	return false, value, err
}
