package command_test

import (
	"strings"
	"testing"
)

// TestCompletionInZsh presses the tabulator in a zsh on a terminal.
func TestCompletionInZsh(t *testing.T) {
	t.Parallel() // it waits most of the time
	cmd, fifo := inShell(t, "zsh", "-f", "-i")
	cmd.Env = append(cmd.Env, "PS1=prompt> ")
	term := withTerminal(t, 240, 24, cmd)
	typed := func(keys, until string) {
		t.Helper()
		term.typed(keys)
		term.until(until, func(l []string) bool { return contains(l, until) })
	}
	term.until("a prompt", func(l []string) bool { return contains(l, "prompt>") })
	typed("autoload -Uz compinit && compinit -u -D && source <(ipcctl completion zsh) && echo loa''ded\n", "\nloaded")
	typed("ipcctl pipe recv \t", "prompt> ipcctl pipe recv "+fifo)
	typed("\x15ipcctl que\t", "prompt> ipcctl queue")
	typed("\x15ipcctl socket s\t\t", "send   -- send messages to a server") // of several, a list
	typed("\x15mkdir folder\n", "prompt>")
	typed("ipcctl acl lint fol\t", "prompt> ipcctl acl lint folder/")
	typed("\x15exit\n", "exit")
	for _, l := range term.screen() {
		if strings.Contains(l, "command not found") {
			t.Errorf("zsh: %s", l)
		}
	}
	<-term.read
}
