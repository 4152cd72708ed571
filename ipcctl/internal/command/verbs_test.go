package command_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	verbs "github.com/ipcctl/ipc/ipcctl/internal/command"
)

// seen is what the tests had the built binary do: the statuses of each verb,
// and the headings of JSON.md that output was held to.
var seen = struct {
	sync.Mutex
	status map[string]map[int]bool
	json   map[string]bool
}{status: map[string]map[int]bool{}, json: map[string]bool{}}

func saw(line []string, code int) {
	verb := verbs.VerbOf(line)
	seen.Lock()
	defer seen.Unlock()
	if seen.status[verb] == nil {
		seen.status[verb] = map[int]bool{}
	}
	seen.status[verb][code] = true
}

func sawJSON(heading string) {
	seen.Lock()
	defer seen.Unlock()
	seen.json[heading] = true
}

// sameJSON are the verbs whose objects JSON.md describes under another verb.
var sameJSON = map[string]string{"queue dead": "queue get", "queue tail": "queue get"}

// fruitless is how a verb can fail beyond usage: each of these statuses must
// have been seen when all tests have run. A verb that is not here fails its
// test, so that a new one can't be forgotten.
var fruitless = map[string][]int{
	"tour": {1}, "ls": {3}, "version": nil, "completion": nil, "doctor": nil, "top": nil, "metrics": {1},
	"man":        {1},
	"shm create": {1}, "shm write": {1, 3}, "shm read": {1, 3}, "shm rm": {3}, "shm dump": {1, 3}, "shm watch": {3},
	"queue create": {1}, "queue put": {1, 3, 5}, "queue get": {3, 5}, "queue stat": {1, 3}, "queue tail": {3},
	"queue dead": {3}, "queue requeue": {3}, "queue close": {3}, "queue rm": {3},
	"socket serve": {1, 3}, "socket send": {1, 3, 4, 5}, "socket call": {1, 3, 4, 5},
	"pipe create": {1}, "pipe send": {3, 5}, "pipe recv": {3, 5},
	"acl check": {3, 4}, "acl explain": {3, 4}, "acl lint": {1, 3}, "acl test": {1, 3}, "acl apply": {3},
	"stat": {3}, "bench": {1, 3}, "latency": {3}, "gc": {3},
}

// untested returns what no test had the binary do. It is asked once all tests
// have run.
func untested() (gaps []string) {
	seen.Lock()
	defer seen.Unlock()
	for _, v := range verbs.Verbs() {
		if v.Group {
			continue
		}
		codes := seen.status[v.Name]
		if !codes[0] && !codes[-1] { // -1: it ran until a signal ended it, as top does
			gaps = append(gaps, v.Name+": to its good end")
		}
		for _, code := range append([]int{2}, fruitless[v.Name]...) {
			if !codes[code] {
				gaps = append(gaps, fmt.Sprintf("%s: with status %d", v.Name, code))
			}
		}
		if v.JSON && sameJSON[v.Name] == "" && !seen.json["ipcctl "+v.Name] {
			gaps = append(gaps, v.Name+": --json against JSON.md")
		}
	}
	return gaps
}

// TestEveryVerb holds every verb to what a person expects of each.
func TestEveryVerb(t *testing.T) {
	s := readSchema(t)
	for _, v := range verbs.Verbs() {
		words := strings.Fields(v.Name)
		file := strings.Join(append(words[:len(words):len(words)], "help", "txt"), ".")
		help := must(t, "", append(words[:len(words):len(words)], "--help")...)
		golden(t, file, help)
		for _, line := range strings.Split(help, "\n") {
			if n := len([]rune(line)); n > 80 {
				t.Errorf("%s --help: a line of %d columns: %s", v.Name, n, line)
			}
		}
		if man := must(t, "", append([]string{"man"}, words...)...); !strings.HasPrefix(man, ".TH IPCCTL") {
			t.Errorf("man %s: %.40q", v.Name, man)
		}
		fails(t, 2, append(words[:len(words):len(words)], "--no-such-flag"), "no flag --no-such-flag")
		if len(v.Examples) == 0 {
			t.Errorf("%s --help has no example", v.Name)
		}
		mentioned := false
		for _, e := range v.Examples {
			mentioned = checkExample(t, v, e) || mentioned
		}
		if !mentioned {
			t.Errorf("none of the examples of %q is of it: %q", v.Name, v.Examples)
		}
		if v.Group {
			continue
		}
		if _, known := fruitless[v.Name]; !known {
			t.Errorf("%s: say in this file how it can fail, and test it", v.Name)
		}
		if v.Required > 0 {
			fails(t, 2, words, "is missing")
		}
		heading := "ipcctl " + v.Name
		if same := sameJSON[v.Name]; same != "" {
			heading = "ipcctl " + same
		}
		if v.JSON && s[heading] == nil {
			t.Errorf("%s --json is not in JSON.md", v.Name)
		}
	}
	for name := range fruitless {
		if err := verbs.Accepts(strings.Fields(name)); err != nil && !strings.Contains(err.Error(), "missing") {
			t.Errorf("this file speaks of %s, which is no verb: %v", name, err)
		}
	}
}

// TestFruitless has the failures that are nobody else's business.
func TestFruitless(t *testing.T) {
	dir := t.TempDir()
	none, file := filepath.Join(dir, "none"), filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(dir, "taken.sock")
	l, err := net.Listen("unix", taken)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fails(t, 3, []string{"queue", "requeue", filepath.Base(dir) + "-none"}, "none")
	fails(t, 3, []string{"acl", "explain", "--policy", none, "--uid", "1", "--action", "get", "--resource", "x:y"}, none)
	fails(t, 3, []string{"latency", "--compare", none}, none)
	fails(t, 3, []string{"ls", none}, none)
	fails(t, 3, []string{"gc", none}, none)
	fails(t, 2, []string{"ls", file}, "no folder")
	fails(t, 1, []string{"man", "--dir", file}, file)
	fails(t, 1, []string{"metrics", "--serve", taken}, taken)
}

// checkExample has the command look at every call of itself in an example, and
// says whether one is of the verb.
func checkExample(t *testing.T, v verbs.Verb, line string) (mentioned bool) {
	t.Helper()
	for _, args := range callsIn(line) {
		if err := verbs.Accepts(args); err != nil {
			t.Errorf("the example %q doesn't work: %v", line, err)
		}
		mentioned = mentioned || strings.HasPrefix(strings.Join(args, " ")+" ", v.Name+" ") || v.Name == ""
	}
	return mentioned
}

// callsIn returns the arguments of every ipcctl in a line of shell, which may
// hold quotes, pipes, lists, substitutions and redirections.
func callsIn(line string) (calls [][]string) {
	const ends = "|;&()<>"
	var words []string
	word, started, quote := "", false, rune(0)
	push := func() {
		if started {
			words = append(words, word)
		}
		word, started = "", false
	}
	finish := func() {
		push()
		if i := slices.Index(words, "ipcctl"); i >= 0 {
			calls = append(calls, words[i+1:])
		}
		words = nil
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, started = r, true
		case r == ' ':
			push()
		case strings.ContainsRune(ends, r):
			finish()
		default:
			word, started = word+string(r), true
		}
	}
	finish()
	return calls
}
