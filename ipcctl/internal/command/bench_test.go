package command_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ipcctl/ipc/ipcctl/internal/bench"
	"github.com/matryer/is"
)

// drawn checks that a file is XML, and a picture with those words on it.
func drawn(t *testing.T, path string, words ...string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range append(words, runtime.Version()) { // which the machine's description ends with
		if !strings.Contains(string(text), w+"</text>") {
			t.Errorf("%s doesn't say %q", path, w)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := xml.NewDecoder(f); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestBench(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	base, picture := filepath.Join(dir, "base.json"), filepath.Join(dir, "bench.svg")
	out := must(t, "", "bench", "--size", "64,4KiB", "--duration", "30ms", "--json", "--save", base, "--plot", picture)
	o := conforms(t, "ipcctl bench", out)
	mechanisms := bench.Mechanisms()
	is.Equal(len(o), 2*len(mechanisms)) // two sizes
	for _, r := range o {
		is.True(r["messages_per_second"].(float64) > 0)
	}
	drawn(t, picture, append(mechanisms, "64B", "4KiB", "messages a second")...)
	out = must(t, "", "bench", "queue", "--size", "64", "--duration", "30ms", "--compare", base)
	is.True(strings.Contains(out, "CHANGE") && strings.Contains(out, "%"))
	out = must(t, "", "bench", "queue", "--size", "64", "--duration", "30ms", "--compare", base, "--producers", "2", "--consumers", "2", "--batch", "8")
	is.True(strings.Contains(out, "2→2") && strings.Contains(out, "new") && !strings.Contains(out, "%")) // another load
	fails(t, 2, []string{"bench", "sockets"}, `did you mean "socket"?`)
	fails(t, 2, []string{"bench", "--size", "0"}, "1 byte")
	fails(t, 2, []string{"bench", "--size", "x"}, "no size")
	fails(t, 2, []string{"bench", "--duration", "-1s"}, "--duration")
	fails(t, 2, []string{"bench", "--batch", "0"}, "--batch")
	fails(t, 3, []string{"bench", "--compare", base + "x"}, base+"x")
	fails(t, 1, []string{"bench", "--compare", picture}, "--save")
	for _, flag := range []string{"--save", "--plot"} { // found out before an hour is spent
		fails(t, 3, []string{"bench", "--duration", "1h", flag, filepath.Join(base, "..", "none", "file")}, "none")
	}
}

func TestLatency(t *testing.T) {
	is := is.New(t)
	picture := filepath.Join(t.TempDir(), "latency.svg")
	o := conforms(t, "ipcctl latency", must(t, "", "latency", "--size", "64", "--duration", "30ms", "--spin", "20us", "--json", "--plot", picture))
	is.Equal(len(o), len(bench.Mechanisms()))
	for _, r := range o {
		is.True(r["min_ns"].(float64) > 0)
		is.True(r["min_ns"].(float64) <= r["p50_ns"].(float64) && r["p50_ns"].(float64) <= r["p99_ns"].(float64) && r["p99_ns"].(float64) <= r["max_ns"].(float64))
	}
	drawn(t, picture, "queue 64B", "99 %", "round trip")
	out := must(t, "", "latency", "--intrinsic", "--duration", "20ms")
	is.True(strings.Contains(out, "intrinsic"))
	fails(t, 2, []string{"latency", "pip"}, `did you mean "pipe"?`)
	fails(t, 2, []string{"latency", "pipe", "--intrinsic"}, "no mechanism")
}

// TestCompare compares with figures that are known: all of them a millionth of
// what was measured, and of another machine.
func TestCompare(t *testing.T) {
	is := is.New(t)
	for verb, wrong := range map[string]string{"bench": "latency", "latency": "bench"} {
		dir := t.TempDir()
		base, other := filepath.Join(dir, "base.json"), filepath.Join(dir, "other.json")
		line := []string{verb, "pipe", "--size", "64", "--duration", "20ms"}
		must(t, "", append(line, "--save", base)...)
		text, err := os.ReadFile(base)
		is.NoErr(err)
		var saved map[string]any
		is.NoErr(json.Unmarshal(text, &saved))
		figures := saved["figures"].(map[string]any)
		is.Equal(len(figures), 1)
		figures["pipe/64"] = figures["pipe/64"].(float64) / 1e6
		saved["machine"] = "an abacus"
		text, err = json.Marshal(saved)
		is.NoErr(err)
		is.NoErr(os.WriteFile(other, text, 0o600))
		r := run(t, "", append(line, "--compare", other, "--json")...)
		is.Equal(r.code, 0)
		is.True(strings.Contains(r.err, "another machine: an abacus"))
		is.True(conforms(t, "ipcctl "+verb, r.out)[0]["change_percent"].(float64) > 1e6)
		is.True(run(t, "", append(line, "--compare", base)...).err == "")
		fails(t, 1, []string{wrong, "--compare", base}, "figures of ipcctl "+verb)
	}
}

func TestBenchInterrupted(t *testing.T) {
	t.Parallel() // it waits most of the time
	b := start(t, "", "bench", "queue", "--size", "64,128", "--duration", "1s", "--json")
	next(t, b.lines) // the first result; the second measurement is under way
	is.New(t).Equal(b.interrupt(t), -1)
}
