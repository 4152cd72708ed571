package command_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
	fails(t, 3, []string{"stat", "nothing-there"}, "ipcctl ls")
	fails(t, 3, []string{"stat", path, "--interval", "1s"}, "only queues")
	fails(t, 2, []string{"stat", name, "--interval", "-1s"}, "more than 0")
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

var (
	helpLine   = regexp.MustCompile(`^# (HELP|TYPE) [a-z_]+ .+$`)
	sampleLine = regexp.MustCompile(`^[a-z_]+\{([a-z]+="([^"\\\n]|\\["\\n])*",?)*\} [0-9.e+]+$`)
)

// exposition checks the text exposition format, line by line.
func exposition(t *testing.T, text string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if !helpLine.MatchString(line) && !sampleLine.MatchString(line) {
			t.Errorf("not in the format: %q", line)
		}
	}
}

func TestMetrics(t *testing.T) {
	is := is.New(t)
	name := newQueue(t, "--capacity", "7")
	must(t, "", "queue", "put", name, "a", "b")
	out := must(t, "", "metrics")
	exposition(t, out)
	for _, line := range []string{
		fmt.Sprintf("ipc_queue_waiting_messages{name=%q} 2\n", name),
		fmt.Sprintf("ipc_queue_capacity_entries{name=%q} 7\n", name),
		fmt.Sprintf("ipc_queue_put_messages_total{name=%q} 2\n", name),
	} {
		if !strings.Contains(out, line) {
			t.Errorf("no line %q", line)
		}
	}

	path := filepath.Join(t.TempDir(), "metrics.sock")
	b := start(t, "serving http://"+path, "metrics", "--serve", path)
	get := func(what string) (status, body string) {
		c, err := net.Dial("unix", path)
		is.NoErr(err)
		defer c.Close()
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", what)
		r := bufio.NewReader(c)
		status, err = r.ReadString('\n')
		is.NoErr(err)
		rest, err := io.ReadAll(r)
		is.NoErr(err)
		_, body, _ = strings.Cut(string(rest), "\r\n\r\n")
		return strings.TrimSpace(status), body
	}
	status, body := get("/metrics")
	is.Equal(status, "HTTP/1.1 200 OK")
	exposition(t, body)
	is.True(strings.Contains(body, name))
	status, _ = get("/")
	is.Equal(status, "HTTP/1.1 404 Not Found")
	is.Equal(b.interrupt(t), 0)

	fails(t, 2, []string{"metrics", "--serve", "0.0.0.0:9464"}, "only loopback")
	fails(t, 2, []string{"metrics", "--serve", "9464"}, "loopback host:port")
}
