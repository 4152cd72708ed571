//go:build !ipcportable

package command_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestTopWaiters: top tells who sleeps for messages and who for room.
func TestTopWaiters(t *testing.T) {
	is := is.New(t)
	empty, full := newQueue(t), newQueue(t, "--capacity", "1")
	must(t, "", "queue", "put", full, "a")
	getter, putter := start(t, "", "queue", "get", empty), start(t, "", "queue", "put", full, "b")
	pid := func(b *background) string { return fmt.Sprintf("ipcctl(%d)", b.cmd.Process.Pid) }

	term := onTerminal(t, 80, 24, "top", "--interval", "20ms", "--kind", "queue")
	line := func(lines []string, name string) string {
		for _, l := range lines {
			if strings.Contains(l, name[len(name)-12:]) {
				return l
			}
		}
		return ""
	}
	lines := term.until("who waits", func(l []string) bool {
		return strings.Contains(line(l, empty), "1 get") && strings.Contains(line(l, full), "1 put")
	})
	is.True(contains(lines, "ASLEEP"))
	term.typed("/" + full + "\r")
	term.until("the full queue alone", func(l []string) bool { return line(l, empty) == "" && line(l, full) != "" })
	term.typed("\r")
	term.until("what the process does", func(l []string) bool { return contains(l, pid(putter)+"  waits for room") })
	is.Equal(must(t, "", "queue", "get", full), "a\n") // now there is room
	is.Equal(putter.status(t), 0)
	term.until("that nobody waits", func(l []string) bool { return !contains(l, "waits for") && contains(l, "1 taken") })
	term.typed("q")
	code, _ := term.end()
	is.Equal(code, 0)

	for { // a sleeper looks around four times a second
		o := find(conforms(t, "ipcctl top", must(t, "", "top", "--json", "--count=1", "--kind=queue")), empty)
		who := o["waiters"].(map[string]any)
		is.Equal(len(who["room"].([]any)), 0)
		if messages := who["messages"].([]any); len(messages) > 0 {
			is.Equal(messages[0].(map[string]any)["pid"], float64(getter.cmd.Process.Pid))
			break
		}
		is.NoErr(t.Context().Err())
	}
	for !strings.Contains(must(t, "", "queue", "stat", empty), pid(getter)+" attached, waits for a message") {
		is.NoErr(t.Context().Err())
	}
	for exposed(t, must(t, "", "metrics"))("ipc_queue_asleep_processes", "name", empty, "until", "message") != 1 {
		is.NoErr(t.Context().Err())
	}
	getter.interrupt(t)
}
