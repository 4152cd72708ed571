//go:build unix

package command_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipcctl/ipc/shm"
	"github.com/matryer/is"
)

// TestReaderGone: a verb whose stdout nobody reads any more cleans up, and then dies
// as any program does, without a word.
func TestReaderGone(t *testing.T) {
	is := is.New(t)
	unread := func(line ...string) *background {
		t.Helper()
		r, w, err := os.Pipe()
		is.NoErr(err)
		r.Close()
		t.Cleanup(func() { w.Close() })
		cmd := command(t, line...)
		cmd.Stdout = w
		return launch(t, "", cmd)
	}
	died := func(b *background) {
		t.Helper()
		is.Equal(b.status(t), -1)
		is.Equal(b.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), syscall.SIGPIPE)
		for line := range b.errs {
			is.True(strings.HasPrefix(line, "listening")) // and nothing else
		}
	}

	path := filepath.Join(t.TempDir(), "s.sock")
	server := unread("socket", "serve", path)
	is.Equal(run(t, "", "socket", "send", path, "--wait", "hello").code, 4)
	died(server)
	for _, left := range []string{path, path + ".lock"} {
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("%s is left behind", left)
		}
	}

	// What could not be written is there for the next one.
	name := newQueue(t)
	must(t, "", "queue", "put", name, "a")
	died(unread("queue", "get", name))
	is.Equal(must(t, "", "queue", "get", name, "--timeout", "0"), "a\n")

	// Programs that are started notice such an end themselves.
	path, _ = serving(t, "--exec", `sh -c 'kill -PIPE $$; echo lives'; echo $?`)
	is.Equal(must(t, "", "socket", "send", path, "x"), strconv.Itoa(128+int(syscall.SIGPIPE))+"\n\n")
}

// TestServeEndsCommands: the end of a server is that of the commands it has started,
// and of what these have.
func TestServeEndsCommands(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	pid := filepath.Join(dir, "pid")
	path, server := serving(t, "--exec", "sleep 1000 & echo $! > "+pid+".new; mv "+pid+".new "+pid+"; wait")
	start(t, "", "socket", "send", path, "x")
	var child int
	for child == 0 { // until it runs
		is.NoErr(t.Context().Err())
		if text, err := os.ReadFile(pid); err == nil {
			child, err = strconv.Atoi(strings.TrimSpace(string(text)))
			is.NoErr(err)
		}
	}
	is.NoErr(server.cmd.Process.Signal(syscall.SIGTERM))
	is.Equal(server.status(t), 0)
	for syscall.Kill(child, 0) == nil { // until init has waited for it
		is.NoErr(t.Context().Err())
		if text, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat"); err == nil && strings.Contains(string(text), ") Z ") {
			break // nobody does here, but it has ended
		}
	}
}

// TestSignals: what goes on until it is told to end dies of what told it so, and a
// server ends well.
func TestSignals(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	hup := make(chan os.Signal, 1) // what this process catches its children do not ignore,
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup) // even under nohup
	name, fifo, dir := newQueue(t), filepath.Join(t.TempDir(), "fifo"), t.TempDir()
	must(t, "", "pipe", "create", fifo)
	segment := segmentName(t)
	must(t, "", "shm", "create", "--size", "4096", "--name", segment)
	defer shm.Remove(segment)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, c := range []struct {
			line   []string
			feed   []string // makes it print a line, or
			says   string   // what it says once it goes on
			status int
		}{
			{[]string{"queue", "tail", name, "--follow"}, []string{"queue", "put", name, "a"}, "", -1},
			{[]string{"queue", "get", name, "--follow"}, []string{"queue", "put", name, "b"}, "", -1},
			{[]string{"pipe", "recv", fifo, "--follow"}, []string{"pipe", "send", fifo, "c"}, "", -1},
			{[]string{"stat", name, "--interval", "1ms"}, []string{"version"}, "", -1},
			{[]string{"top", "--kind", "queue", "--json", "--interval", "10ms"}, []string{"version"}, "", -1},
			{[]string{"shm", "watch", segment}, nil, "watching", -1},
			{[]string{"socket", "serve", filepath.Join(dir, "s")}, nil, "listening", 0},
			{[]string{"metrics", "--serve", filepath.Join(dir, "m")}, nil, "serving", 0},
		} {
			b := start(t, c.says, c.line...)
			if c.feed != nil {
				must(t, "", c.feed...)
				next(t, b.lines)
			}
			is.NoErr(b.cmd.Process.Signal(signal))
			for range b.lines { // whatever it still says
			}
			is.Equal(b.status(t), c.status)
			if died := b.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); c.status < 0 && died != signal {
				t.Errorf("%v: died of %v, not of %v", c.line, died, signal)
			}
			if line, said := <-b.errs; said {
				t.Errorf("%v: %q", c.line, line)
			}
		}
	}
}

// TestStatStopped: a rate is that of the time which has really passed, also where the
// interval was no match for the scheduler.
func TestStatStopped(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	b := start(t, "", "stat", name, "--interval", "10ms", "--json")
	look := func() (time.Time, float64) {
		o := conforms(t, "ipcctl stat", next(t, b.lines))[0]
		at, err := time.Parse(time.RFC3339, o["time"].(string))
		is.NoErr(err)
		return at, o["puts_per_second"].(float64)
	}
	last, _ := look()
	is.NoErr(b.cmd.Process.Signal(syscall.SIGSTOP))
	const puts = 20
	for range puts { // which take many intervals
		must(t, "", "queue", "put", name, "a")
	}
	is.NoErr(b.cmd.Process.Signal(syscall.SIGCONT))
	counted := 0.0
	for counted < puts/2 {
		at, rate := look()
		counted += rate * at.Sub(last).Seconds()
		last = at
	}
	if counted > 5*puts { // it was dozens of times as many
		t.Errorf("%d messages were put, and rates say %.0f", puts, counted)
	}
}

// TestStatMadeAnew: the numbers are those of the queue that has the name, and end with it.
func TestStatMadeAnew(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	b := start(t, "", "stat", name, "--interval", "5ms", "--json")
	next(t, b.lines)
	is.NoErr(b.cmd.Process.Signal(syscall.SIGSTOP))
	must(t, "", "queue", "rm", name)
	must(t, "", "queue", "create", name, "--capacity", "7")
	must(t, "", "queue", "put", name, "a", "b")
	is.NoErr(b.cmd.Process.Signal(syscall.SIGCONT))
	for {
		o := conforms(t, "ipcctl stat", next(t, b.lines))[0]
		if o["capacity"] == 7.0 {
			is.Equal(o["waiting"], 2.0)
			is.True(o["puts_per_second"].(float64) > 0)
			break
		}
		is.NoErr(t.Context().Err())
	}
	must(t, "", "queue", "rm", name)
	for range b.lines {
	}
	is.Equal(b.status(t), 3)
	is.True(strings.Contains(<-b.errs, "ipcctl ls --kind queue"))
}

// TestNohup: what was started to survive the terminal does.
func TestNohup(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "s")
	cmd := command(t, "socket", "serve", path)
	cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	server := launch(t, "listening", cmd)
	is.NoErr(server.cmd.Process.Signal(syscall.SIGHUP))
	is.Equal(must(t, "", "socket", "send", path, "still there"), "ACK: still there\n")
	is.NoErr(server.cmd.Process.Signal(syscall.SIGTERM))
	is.Equal(server.status(t), 0)
}
