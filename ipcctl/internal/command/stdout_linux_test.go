package command_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipcctl/ipc/queue"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// TestStuckReader: a verb that writes to a pipe which somebody has and does not read
// ends with the first signal, in order.
func TestStuckReader(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	// stuck starts a verb, has it given something to write, and waits until the pipe
	// takes no more of it.
	stuck := func(feed func(), line ...string) *background {
		t.Helper()
		r, w, err := os.Pipe()
		is.NoErr(err)
		t.Cleanup(func() { r.Close() })
		cmd := command(t, line...)
		cmd.Stdout = w
		b := launch(t, "", cmd)
		w.Close()
		if feed != nil {
			feed()
		}
		size, err := unix.FcntlInt(r.Fd(), unix.F_GETPIPE_SZ, 0)
		is.NoErr(err)
		for n := 0; n < size; {
			n, err = unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
			is.NoErr(err)
			is.NoErr(t.Context().Err())
		}
		is.NoErr(b.cmd.Process.Signal(syscall.SIGTERM))
		return b
	}
	died := func(b *background) {
		t.Helper()
		is.Equal(b.status(t), -1)
		is.Equal(b.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), syscall.SIGTERM)
	}

	segment := segmentName(t)
	must(t, "", "shm", "create", "--size", "1MiB", "--name", segment)
	died(stuck(nil, "shm", "read", segment))
	died(stuck(nil, "shm", "dump", segment))

	// What could not be written is there for the next one.
	name, big := newQueue(t, "--max-message", "1MiB"), strings.Repeat("x", 1<<20)
	must(t, big, "queue", "put", name)
	died(stuck(nil, "queue", "get", name))
	is.True(must(t, "", "queue", "get", name, "--timeout", "0", "--raw") == big)

	path := filepath.Join(t.TempDir(), "s.sock")
	server := stuck(func() {
		send := command(t, "socket", "send", path, "--wait")
		send.Stdin = strings.NewReader(big)
		launch(t, "", send)
	}, "socket", "serve", path)
	is.Equal(server.status(t), 0) // its proper end
	_, err := os.Lstat(path)
	is.True(os.IsNotExist(err))
}

// TestInterruptedCopy: what has much to write, and never waits for anything else, ends
// with the first signal too.
func TestInterruptedCopy(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	segment := segmentName(t)
	must(t, "", "shm", "create", "--size", "32MiB", "--name", segment)
	name := newQueue(t, "--capacity", "100000", "--max-message", "100")
	q, err := queue.Open(name, nil)
	is.NoErr(err)
	defer q.Close()
	for range 100_000 {
		is.NoErr(q.TryPut([]byte("a message")))
	}
	for _, line := range [][]string{
		{"shm", "read", segment}, {"shm", "dump", segment}, {"shm", "dump", segment, "--as", "text"},
		{"queue", "tail", name}, {"queue", "get", name, "--follow", "--timeout", "0"},
	} {
		r, w, err := os.Pipe()
		is.NoErr(err)
		cmd := command(t, line...)
		cmd.Stdout = w
		b := launch(t, "", cmd)
		w.Close()
		_, err = r.Read(make([]byte, 1))
		is.NoErr(err)
		is.NoErr(b.cmd.Process.Signal(syscall.SIGINT))
		for page := make([]byte, 4096); err == nil; _, err = r.Read(page) {
			time.Sleep(100 * time.Microsecond) // to take all of it lasts seconds, longer than any signal
		}
		is.Equal(err, io.EOF)
		r.Close()
		if b.status(t) != -1 || b.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
			t.Errorf("%v: %v", line, b.cmd.ProcessState)
		}
	}
	is.True(q.Len() > 0)
}
