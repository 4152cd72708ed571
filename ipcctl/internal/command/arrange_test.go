package command

import (
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/urfave/cli/v2"
)

func TestArrange(t *testing.T) {
	root := &node{name: "x", children: []*node{
		{name: "queue", children: []*node{{
			name: "put", args: "NAME [MESSAGE...]", run: func(*call) error { return nil },
			flags: []cli.Flag{linesFlag, timeoutFlag},
		}}},
		{name: "ls", run: func(*call) error { return nil }, flags: []cli.Flag{jsonFlag}},
	}}
	for _, c := range []struct{ line, want string }{
		{"queue put jobs a b", "queue put -- jobs a b"},
		{"queue put jobs a --lines b", "queue put --lines -- jobs a b"},
		{"queue put --timeout 5s jobs", "queue put --timeout 5s -- jobs"},
		{"queue put jobs --timeout=5s --lines", "queue put --timeout=5s --lines -- jobs"},
		{"queue put jobs --timeout -5s", "queue put --timeout -5s -- jobs"},
		{"queue put jobs -- --lines -x --", "queue put -- jobs --lines -x --"},
		{"queue put jobs - put", "queue put -- jobs - put"},
		{"--timeout 5s queue put jobs", "queue put --timeout 5s -- jobs"},
		{"--json ls", "ls --json --"},
		{"ls -json", "ls -json --"},

		{"queue put jobs --line", "! no flag --line; did you mean --lines?"},
		{"queue put jobs -5", "! no flag -5 (an argument that starts with a dash goes after --)"},
		{"queue put jobs --json", "! no flag --json (an argument that starts with a dash goes after --)"},
		{"queue put jobs --timeout", "! --timeout needs a value"},
		{"queu put", `! no verb "queu"; did you mean "queue"?`},
		{"queue pu jobs", `! no verb "pu"; did you mean "put"?`},
		{"frobnicate", `! no verb "frobnicate"`},
	} {
		t.Run(c.line, func(t *testing.T) {
			is := is.New(t)
			req, err := arrange(root, strings.Fields(c.line))
			got := strings.Join(req.args, " ")
			if err != nil {
				got = "! " + err.Error()
			}
			is.Equal(got, c.want)
		})
	}
	for _, line := range []string{"queue --help", "help queue", "--help queue", "queue -h"} {
		req, err := arrange(root, strings.Fields(line))
		if err != nil || !req.help || req.node.name != "queue" {
			t.Errorf("%s: %+v, %v", line, req, err)
		}
	}
}

// FuzzArrange checks that no word is lost or invented, whatever the line.
func FuzzArrange(f *testing.F) {
	for _, s := range []string{"queue put a --timeout 1s b", "-- x", "shm create --size=1 -- -", "help shm", "-", "--="} {
		f.Add(s)
	}
	root := tree()
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		req, err := arrange(root, words)
		if err != nil || req.help || req.version {
			return
		}
		count := map[string]int{"--": 1}
		for _, w := range words {
			count[w]++
		}
		for _, w := range req.args {
			count[w]--
		}
		for w, n := range count {
			if n != 0 && w != "--" {
				t.Errorf("%q: %q is lost or invented in %q", words, w, req.args)
			}
		}
	})
}
