package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func newFIFO(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "news.fifo")
	if out := must(t, "", "pipe", "create", path); out != path+"\n" {
		t.Fatalf("pipe create printed %q", out)
	}
	return path
}

func TestPipe(t *testing.T) {
	is := is.New(t)
	path := newFIFO(t)
	o := conforms(t, "ipcctl pipe create", must(t, "", "pipe", "create", path+"2", "--mode", "0620", "--json"))
	is.Equal(o[0]["path"], path+"2")
	is.Equal(o[0]["mode"], "0620")
	recv := start(t, "", "pipe", "recv", path, "--count", "3")
	must(t, "", "pipe", "send", path, "hello", "two words", "")
	is.Equal(next(t, recv.lines), "hello")
	is.Equal(next(t, recv.lines), "two words")
	is.Equal(next(t, recv.lines), "")
	is.Equal(recv.status(t), 0)

	recv = start(t, "", "pipe", "recv", "--json", path)
	must(t, "from\nstdin\n", "pipe", "send", path)
	o = conforms(t, "ipcctl pipe recv", next(t, recv.lines))
	is.Equal(o[0]["message"], "from\nstdin\n")
	is.Equal(recv.status(t), 0)
}

func TestPipeFollow(t *testing.T) {
	is := is.New(t)
	path := newFIFO(t)
	recv := start(t, "", "pipe", "recv", path, "--follow")
	for _, m := range []string{"a", "b"} { // one sender after the other
		must(t, m+"1\n"+m+"2", "pipe", "send", path, "--lines")
		is.Equal(next(t, recv.lines), m+"1")
		is.Equal(next(t, recv.lines), m+"2")
	}
	is.Equal(recv.interrupt(t), -1)
}

func TestPipeLargeMessage(t *testing.T) {
	is := is.New(t)
	path := newFIFO(t)
	big := strings.Repeat("x", 3<<20)
	recv := command(t, "pipe", "recv", path, "--raw", "--count", "2")
	done := make(chan result)
	go func() { done <- finish(t, recv) }()
	r := run(t, "fine\n"+big, "pipe", "send", path, "--lines")
	is.Equal(r.code, 1)
	is.True(strings.Contains(r.err, "--exclusive"))
	got := <-done
	is.Equal(got.code, 1) // its sender has gone
	is.Equal(got.out, "fine")
	is.True(strings.Contains(got.err, "senders have gone"))

	recv = command(t, "pipe", "recv", path, "--raw")
	go func() { done <- finish(t, recv) }()
	r = run(t, big, "pipe", "send", path, "--exclusive")
	is.Equal(r.code, 0)
	got = <-done
	is.Equal(got.code, 0)
	is.True(got.out == big)
}

func TestPipeFailures(t *testing.T) {
	is := is.New(t)
	path := newFIFO(t)
	fails(t, 5, []string{"pipe", "recv", path, "--timeout", "20ms"}, "no writer")
	fails(t, 5, []string{"pipe", "send", path, "x", "--timeout", "0"}, "no reader")
	fails(t, 1, []string{"pipe", "create", path}, "exists")
	fails(t, 2, []string{"pipe", "create", path + "2", "--mode", "0400"}, "owner")
	fails(t, 2, []string{"pipe", "recv", path, "--count", "0"}, "at least 1")
	fails(t, 2, []string{"pipe", "recv", path, "--count", "2", "--follow"}, "exclude")
	fails(t, 2, []string{"pipe", "recv"}, "PATH is missing")
	fails(t, 2, []string{"pipe", "send", path, "--timeout", "soon"}, "soon")
	for _, verb := range []string{"send", "recv"} {
		fails(t, 3, []string{"pipe", verb, path + "x"}, path+"x", "pipe create")
		fails(t, 1, []string{"pipe", verb, filepath.Dir(path)}, "a directory")
	}
	others := filepath.Join(t.TempDir(), "others.fifo")
	must(t, "", "pipe", "create", others, "--mode", "0666")
	fails(t, 4, []string{"pipe", "recv", others}, "--allow-others")
	info, err := os.Stat(others)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o666))
}
