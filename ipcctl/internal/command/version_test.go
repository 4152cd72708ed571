package command_test

import (
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
