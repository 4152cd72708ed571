//go:build !ipcportable

package command_test

import (
	"fmt"
	"testing"

	"github.com/matryer/is"
)

// TestTopWide has room for who is attached.
func TestTopWide(t *testing.T) {
	is := is.New(t)
	name := newQueue(t)
	must(t, "", "queue", "put", name, "a", "b")
	b := start(t, "", "queue", "get", name, "--follow")
	is.Equal(next(t, b.lines), "a")
	term := onTerminal(t, 130, 30, "top", "--interval", "50ms", "--kind", "queue")
	user := fmt.Sprintf("ipcctl(%d)", b.cmd.Process.Pid)
	lines := term.until("who is attached", func(l []string) bool { return contains(l, user) })
	is.True(contains(lines, "AGAIN/S") && contains(lines, "P99") && contains(lines, "ATTACHED"))
	for _, l := range lines {
		if n := len([]rune(l)); n > 130 {
			t.Errorf("a line of %d columns: %q", n, l)
		}
	}
	term.typed("q")
	code, _ := term.end()
	is.Equal(code, 0)
	is.Equal(b.interrupt(t), -1)
}
