package command_test

import (
	"debug/buildinfo"
	"regexp"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/ipcctl/internal/version"
	"github.com/matryer/is"
)

var initialised = regexp.MustCompile(`(?m)^init (\S+) @`)

// heavy are packages that other verbs need, and that take their time to
// initialise.
var heavy = []string{"github.com/urfave/cli/v2", "github.com/prometheus/client_golang/prometheus", "gonum.org/v1/plot", "github.com/gdamore/tcell/v2", "net/http"}

// TestVersionComesFirst: it is answered before those packages are there. How
// long it takes is measured by BenchmarkStartUp.
func TestVersionComesFirst(t *testing.T) {
	if !version.Early {
		t.Skip("this version of Go comes after package version")
	}
	is := is.New(t)
	packages := func(args ...string) map[string]bool {
		cmd := command(t, args...)
		cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
		r := finish(t, cmd)
		is.Equal(r.code, 0)
		is.True(r.out != "")
		have := map[string]bool{}
		for _, m := range initialised.FindAllStringSubmatch(r.err, -1) {
			have[m[1]] = true
		}
		return have
	}
	first, other := packages("version"), packages("completion", "bash")
	is.True(first["runtime"]) // the trace was read
	for _, p := range heavy {
		if first[p] || !other[p] {
			t.Errorf("%s: initialised for version: %v, for another verb: %v", p, first[p], other[p])
		}
	}
}

// TestVersionIsTheBuilds compares with what the go command wrote into the binary.
func TestVersionIsTheBuilds(t *testing.T) {
	is := is.New(t)
	info, err := buildinfo.ReadFile(binary)
	is.NoErr(err)
	want := "devel"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			want += "-" + s.Value[:12]
		}
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		want = strings.TrimPrefix(v, "v")
	}
	is.Equal(strings.Fields(must(t, "", "version"))[1], want)
	is.Equal(strings.Fields(must(t, "", "version"))[2], info.GoVersion)
}
