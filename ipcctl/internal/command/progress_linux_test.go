package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestProgress: what takes longer than a second shows how far it is, on a
// terminal alone, and leaves nothing of that behind.
func TestProgress(t *testing.T) {
	t.Parallel() // it waits most of the time
	is := is.New(t)
	// It shows from the first second on, and for long enough to be seen while both CPUs are busy.
	term := onTerminal(t, 80, 24, "bench", "queue", "--size", "64,128", "--duration", "3s")
	shown := term.until("how far the first is", func(l []string) bool { return contains(l, "queue, 64B") && contains(l, "%") })
	for _, l := range shown {
		if n := len([]rune(l)); n > 79 {
			t.Errorf("a line of %d columns would wrap: %q", n, l)
		}
	}
	term.until("how far the second is", func(l []string) bool { return contains(l, "queue, 128B") })
	code, output := term.end()
	is.Equal(code, 0)
	left := show(output, 80, 24)
	is.True(contains(left, "MESSAGES/S"))
	is.True(!contains(left, "%"))
	is.True(strings.HasPrefix(strings.Join(left, ""), left[0]) && left[0] != "") // the table begins where the bar was

	r := run(t, "", "bench", "queue", "--size", "64", "--duration", "1200ms")
	is.Equal(r.err, "")
}

func TestProgressOfWaiting(t *testing.T) {
	t.Parallel() // it waits most of the time
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "late.sock")
	term := onTerminal(t, 80, 24, "socket", "send", path, "hello", "--wait")
	term.until("that it waits", func(l []string) bool { return contains(l, "waiting for the server") })
	server := start(t, "", "socket", "serve", path, "--echo")
	code, output := term.end()
	is.Equal(code, 0)
	is.Equal(strings.TrimSpace(strings.Join(show(output, 80, 24), "\n")), "hello")
	is.Equal(server.interrupt(t), 0)
}

// looking starts a verb that looks at the whole host and can't get on with it: in a
// mount namespace of its own, the list of users is a FIFO that nobody writes to.
func looking(t *testing.T, line ...string) (*terminal, string) {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "passwd")
	if err := mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `mount --bind "$0" /etc/passwd && exec "$@"`
	if out, err := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, fifo, "true").CombinedOutput(); err != nil {
		t.Skipf("no namespace of its own: %v: %s", err, out)
	}
	cmd := command(t, line...)
	cmd.Path, cmd.Err = exec.LookPath("unshare")
	cmd.Args = append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script, fifo}, cmd.Args...)
	cmd.Env = append(cmd.Env, "TERM=xterm", "LC_ALL=C.UTF-8")
	term := withTerminal(t, 80, 24, cmd)
	term.until("that it goes on", func(l []string) bool { return contains(l, "looking at every process") })
	return term, fifo
}

func TestProgressOfLooking(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, verb := range []string{"ls", "gc"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			newQueue(t)
			term, fifo := looking(t, verb)
			is.NoErr(os.WriteFile(fifo, []byte("somebody:x:"+strconv.Itoa(os.Getuid())+":0::/:/bin/sh\n"), 0)) // now it can
			code, output := term.end()
			is.Equal(code, 0)
			left := show(output, 80, 24)
			is.True(!contains(left, "looking"))
			is.True(left[0] != "") // what it says begins where the bar was
			if verb == "ls" {
				is.True(contains(left, "KIND") && contains(left, "somebody"))
			}
		})
	}
}

// TestInterruptedLook: who has seen enough of that gets the prompt back, and no
// remains of the bar.
func TestInterruptedLook(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, verb := range []string{"ls", "gc", "metrics", "stat any", "top"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			term, _ := looking(t, strings.Fields(verb)...)
			term.typed("\x03") // Ctrl-C
			code, output := term.end()
			is.Equal(code, -1)
			is.Equal(strings.TrimSpace(strings.ReplaceAll(strings.Join(show(output, 80, 24), ""), "^C", "")), "")
		})
	}
}

// TestChangeInColour: more messages are green, more time is red.
func TestChangeInColour(t *testing.T) {
	is := is.New(t)
	for verb, colour := range map[string]string{"bench": "\x1b[32m+", "latency": "\x1b[31m+"} {
		base := filepath.Join(t.TempDir(), "base.json")
		text := `{"verb": "` + verb + `", "machine": "", "figures": {"pipe/64": 0.001}}`
		is.NoErr(os.WriteFile(base, []byte(text), 0o600))
		term := onTerminal(t, 100, 24, verb, "pipe", "--size", "64", "--duration", "20ms", "--compare", base)
		code, output := term.end()
		is.Equal(code, 0)
		is.True(strings.Contains(output, colour))
	}
}
