package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestMain is every process of a measurement, when it is started as one.
func TestMain(m *testing.M) {
	if role := os.Getenv("BENCH_ROLE"); role != "" {
		if err := runRole(role, os.Getenv("BENCH_JOB")); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Every mechanism of the plan can do what its table asks of it.
func TestPlanIsComplete(t *testing.T) {
	is := is.New(t)
	planned := map[string]bool{}
	for _, g := range plan(false, nil) {
		for _, name := range g.Mechs {
			planned[name] = true
			m := mechanisms[name]
			is.True(m != nil) // a mechanism of that name
			if m.program != nil {
				continue
			}
			switch g.Work {
			case PingPong, Paced, InFlight, Relay:
				is.True(m.ping != nil)
			case OneWay, Batched:
				is.True(m.flow != nil)
			case Idle:
				is.True(m.make != nil)
			default:
				is.True(m.local != nil)
			}
		}
	}
	for name := range mechanisms {
		if !planned[name] {
			t.Errorf("%s is in no table", name)
		}
	}
}

// Every target finds its figures, so that none is "not measured" for ever.
func TestTargetsFindTheirFigures(t *testing.T) {
	is := is.New(t)
	r := new(Report)
	for _, g := range plan(false, nil) {
		table := Table{g, map[string]*Outcome{}}
		for _, m := range g.Mechs {
			table.Outcomes[m] = &Outcome{Results: []Result{{P50: 2, Rate: 2, Allocs: 2, Bytes: 2}}}
		}
		r.Tables = append(r.Tables, table)
	}
	for _, target := range targets() {
		v := target.value(r)
		if v != 1 && v != 2 {
			t.Errorf("%s: %v", target.what, v)
		}
	}
	var out strings.Builder
	is.NoErr(r.write(&out, true))
	is.True(!strings.Contains(out.String(), "not measured |"))
}

// A real run, between real processes, of each kind of work: its records, report
// and plots, and nothing left behind.
func TestRun(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	err := run(t.Context(), []string{"-reps", "2", "-millis", "5", "-out", dir, "-only",
		"(ping-pong/64|one-way-1x1/64|one-way-2x2/64|batched-1x1/64|in-flight/64|decision/10)/(queue|queue-batch|pipe|unixconn|rpc|acl)$"}, io.Discard)
	is.NoErr(err)
	lines, err := os.ReadFile(filepath.Join(dir, "performance", "results.jsonl"))
	is.NoErr(err)
	n := 0
	for dec := json.NewDecoder(bytes.NewReader(lines)); ; n++ {
		var rec Record
		if err := dec.Decode(&rec); errors.Is(err, io.EOF) {
			break
		} else {
			is.NoErr(err)
		}
		is.Equal(rec.Error, "")
		is.True(rec.Res.Count > 0)
		is.Equal(rec.Dir, "") // no paths of this machine
	}
	is.Equal(n, 2*(4+3+1+1+1+1))
	text, err := os.ReadFile(filepath.Join(dir, "PERFORMANCE.md"))
	is.NoErr(err)
	is.True(bytes.Contains(text, []byte("**queue, Put and GetInto** | ")))
	_, err = os.Stat(filepath.Join(dir, "performance", "ping-pong-64.svg"))
	is.NoErr(err)
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	is.NoErr(err)
	is.Equal(len(left), 0)
}

// A peer that is absent or fails is named, with the reason, beside the others.
func TestFailuresAreReported(t *testing.T) {
	is := is.New(t)
	for name, m := range map[string]*mechanism{
		"test-absent": {label: "an absent peer", kind: Peer, program: &program{source: "zmq.c", build: []string{"no-such-compiler"}}},
		"test-broken": {label: "a broken peer", kind: Peer, ping: &pinger{serve: func(*Job, func()) error { return errors.New("cannot serve today") }}},
	} {
		mechanisms[name] = m
		defer delete(mechanisms, name)
	}
	g := Group{Work: PingPong, Size: 64, Mechs: []string{"test-absent", "test-broken"}}
	var records bytes.Buffer
	r := &runner{scratch: t.TempDir(), reps: 3, millis: 5, records: &records, progress: io.Discard}
	outcomes, err := r.run(t.Context(), g, "")
	is.NoErr(err)
	is.Equal(outcomes["test-absent"].reason(), "absent: no no-such-compiler here")
	is.Equal(bytes.Count(records.Bytes(), []byte("\n")), 2) // what never worked isn't tried again
	var out strings.Builder
	is.NoErr((&Report{Tables: []Table{{g, outcomes}}}).write(&out, false))
	is.True(strings.Contains(out.String(), "| an absent peer | absent: no no-such-compiler here |"))
	is.True(strings.Contains(out.String(), "| a broken peer | no mechanism \"test-broken\" |")) // its process, this binary anew, has none
}

// The peers in C agree with the plan: unknown names are errors, not figures.
func TestProgramRefusesUnknownMechanisms(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler here")
	}
	is := is.New(t)
	dir := t.TempDir()
	cmd, err := floorC.command(t.Context(), dir, &Job{Mech: "no-such", Work: PingPong, Size: 64, Millis: 1, Dir: dir})
	is.NoErr(err)
	said, err := cmd.CombinedOutput()
	is.True(err != nil)
	is.Equal(string(said), "no mechanism no-such\n")
}
