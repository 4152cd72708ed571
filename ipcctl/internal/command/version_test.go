package command_test

import (
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestVersion(t *testing.T) {
	is := is.New(t)
	is.True(strings.HasPrefix(must(t, "", "version"), "ipcctl "))
	is.Equal(must(t, "", "version"), must(t, "", "--version"))
	o := conforms(t, "ipcctl version", must(t, "", "version", "--json"))
	is.Equal(o, conforms(t, "ipcctl version", must(t, "", "--json", "version"))) // a flag before its verb
	golden(t, "version.help.txt", must(t, "", "help", "version"))
	fails(t, 2, []string{"version", "now"}, "no arguments", "--help")
	fails(t, 2, []string{"version", "--jsn"}, "did you mean --json?")
	fails(t, 2, []string{"verison"}, `did you mean "version"?`)
}

// TestVersionUnwritable: what could not be written early is written, or
// complained about, by the verb.
func TestVersionUnwritable(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full: ", err)
	}
	defer full.Close()
	cmd := command(t, "version")
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = full, &errs
	is := is.New(t)
	is.True(cmd.Run() != nil)
	is.Equal(cmd.ProcessState.ExitCode(), 1)
	is.Equal(strings.Count(errs.String(), "\n"), 1)
	is.True(strings.HasPrefix(errs.String(), "ipcctl version: "))
}
