package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
	"golang.org/x/sys/unix"
)

// TestWaitForStdin: who waits for a message on stdin, as on a terminal where nobody
// types, ends with the first interrupt, and with --timeout.
func TestWaitForStdin(t *testing.T) {
	is := is.New(t)
	queue := newQueue(t)
	segment := strings.TrimSpace(must(t, "", "shm", "create", "--size", "4096"))
	defer shm.Remove(segment)
	echo, _ := serving(t, "--echo")
	rpc, _ := serving(t, "--method", "/echo")
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, "", "pipe", "create", fifo)
	start(t, "", "pipe", "recv", fifo, "--follow")

	for _, c := range []struct {
		line []string
		late bool // --timeout bounds the wait for stdin too
	}{
		{[]string{"queue", "put", queue}, false},
		{[]string{"queue", "put", queue, "--lines"}, false},
		{[]string{"shm", "write", segment}, false},
		{[]string{"socket", "send", echo}, true},
		{[]string{"socket", "send", echo, "--lines"}, true},
		{[]string{"socket", "call", rpc, "/echo"}, true},
		{[]string{"socket", "call", rpc, "/echo", "--stream", "--lines"}, true},
		{[]string{"pipe", "send", fifo}, true},
	} {
		// open starts the command and waits until it has read what there is of stdin.
		open := func(more ...string) (*background, *os.File) {
			t.Helper()
			in, out, err := os.Pipe()
			is.NoErr(err)
			t.Cleanup(func() { out.Close() })
			cmd := command(t, append(c.line, more...)...)
			cmd.Stdin = in
			b := launch(t, "", cmd)
			in.Close()
			_, err = out.WriteString("no end")
			is.NoErr(err)
			for n := 1; n > 0; {
				n, err = unix.IoctlGetInt(int(out.Fd()), unix.TIOCINQ)
				is.NoErr(err)
				is.NoErr(t.Context().Err())
			}
			return b, out
		}
		b, _ := open()
		is.Equal(b.interrupt(t), -1)
		is.Equal(b.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), syscall.SIGINT)
		if !c.late {
			continue
		}
		in, out, err := os.Pipe()
		is.NoErr(err)
		cmd := command(t, append(c.line, "--timeout", "50ms")...)
		cmd.Stdin = in
		r := finish(t, cmd)
		in.Close()
		out.Close()
		is.Equal(r.code, 5)
		is.True(strings.Contains(r.err, "deadline exceeded"))
	}
}

// TestPartOfALine: a line that an interrupt cuts short is no message, and one that is
// longer than a message may be is read no further.
func TestPartOfALine(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--max-message", "1KiB")
	in, out, err := os.Pipe()
	is.NoErr(err)
	defer out.Close()
	cmd := command(t, "queue", "put", name, "--lines", "--timeout", "0")
	cmd.Stdin = in
	b := launch(t, "", cmd)
	in.Close()
	_, err = out.WriteString("whole\npart")
	is.NoErr(err)
	for must(t, "", "queue", "tail", name) == "" {
		is.NoErr(t.Context().Err())
	}
	is.Equal(b.interrupt(t), -1)
	is.Equal(must(t, "", "queue", "tail", name), "whole\n")

	zeros, err := os.Open("/dev/zero")
	is.NoErr(err)
	defer zeros.Close()
	echo, _ := serving(t, "--echo")
	rpc, _ := serving(t, "--method", "/echo")
	fifo, segment := newFIFO(t), segmentName(t)
	must(t, "", "shm", "create", "--size", "4096", "--name", segment)
	start(t, "", "pipe", "recv", fifo, "--follow")
	for _, c := range []struct {
		line []string
		text string
	}{
		{[]string{"queue", "put", name}, "more than 1KiB in one message: message too large (ipcctl queue stat " + name},
		{[]string{"queue", "put", name, "--lines"}, "more than 1KiB"},
		{[]string{"shm", "write", segment, "--offset", "96"}, "more than 3.9KiB in one message: they don't fit"},
		{[]string{"socket", "send", echo}, "more than 1MiB"},
		{[]string{"socket", "send", echo, "--lines", "--max-message", "1KiB"}, "more than 1KiB"},
		{[]string{"socket", "call", rpc, "/echo"}, "--max-message allows more"},
		{[]string{"socket", "call", rpc, "/echo", "--stream", "--lines"}, "--max-message allows more"},
		{[]string{"pipe", "send", fifo}, "--exclusive lifts"},
	} {
		cmd := command(t, c.line...)
		cmd.Stdin = zeros
		r := finish(t, cmd)
		if r.code != 1 || !strings.Contains(r.err, c.text) {
			t.Errorf("%v: status %d, want 1 and %q: %s", c.line, r.code, c.text, r.err)
		}
	}
	for _, verb := range []string{"serve", "send"} {
		fails(t, 2, []string{"socket", verb, echo, "--max-message", "0"}, "--max-message 0")
	}
}
