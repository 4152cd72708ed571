package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestMain is every process of a measurement, when it is started as one.
func TestMain(m *testing.M) {
	mechanisms["test-broken"] = &mechanism{label: "a broken peer", kind: Peer, ping: &pinger{serve: func(*Job, func()) error { return errors.New("cannot serve today") }}}
	mechanisms["test-hanging"] = &mechanism{label: "a hanging peer", kind: Peer, ping: &pinger{
		serve: func(j *Job, ready func()) error {
			if err := os.WriteFile(j.Name, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
				return err
			}
			ready()
			select {}
		},
		dial: func(*Job) (func([]byte) error, error) { select {} },
	}}
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
			case PingPong, Paced, Asleep, InFlight, Relay:
				is.True(m.ping != nil)
			case Many:
				is.True(m.many != nil)
			case Objects:
				is.True(m.object != nil)
			case OneWay, Batched, Streamed:
				is.True(m.flow != nil)
			case Idle:
				is.True(m.make != nil)
			default:
				is.True(m.local != nil)
			}
		}
	}
	for name := range mechanisms {
		if !planned[name] && !strings.HasPrefix(name, "test-") {
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
			table.Outcomes[m] = &Outcome{Results: []Result{{P50: 2, Rate: 2, Allocs: 2, Bytes: 2, Steps: &Steps{Create: 2}}}}
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

// Beside a ratio of medians stand those of single repetitions.
func TestTargetsOfRepetitions(t *testing.T) {
	is := is.New(t)
	r := &Report{Reps: 2}
	for _, g := range plan(false, nil) {
		if g.Key() == "one-way-1x1/64" {
			r.Tables = append(r.Tables, Table{g, map[string]*Outcome{
				"queue":    {Results: []Result{{Rate: 6}, {Rate: 12}}},
				"boost-mq": {Results: []Result{{Rate: 2}, {Rate: 3}}},
			}})
		}
	}
	target := queueTargets()[1]
	var out strings.Builder
	r.writeTargets(func(format string, args ...any) { fmt.Fprintf(&out, format, args...) })
	is.True(strings.Contains(out.String(), "| "+target.what+" | at least 3.00x | 3.60x (3.00x – 4.00x) | reached |"))

	r.Tables[0].Outcomes["boost-mq"].Failed = []string{"killed"} // which one is not known any more
	out.Reset()
	r.writeTargets(func(format string, args ...any) { fmt.Fprintf(&out, format, args...) })
	is.True(strings.Contains(out.String(), "| "+target.what+" | at least 3.00x | 3.60x | reached |"))
}

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		least, most, floor, there, v float64
		each                         []float64
		want                         string
	}{
		{least: 10, v: 10, want: "reached"},
		{least: 10, v: 9.9, want: "**missed**"},
		{most: 10, v: 10.004, want: "reached"},
		{most: 10, v: 10.1, floor: 1, want: "**missed**"},
		{most: 10, v: 10.1, each: []float64{11, 9, 10.1}, want: "**missed**, reached in 1 of 3 repetitions"},
		{least: 10, v: 9, each: []float64{8, 9}, want: "**missed**"},
		{least: 10, there: 20, floor: 10, v: 6, want: "reached in proportion: 0.60x the floor, where 0.50x is wanted"},
		{least: 10, there: 20, floor: 10, v: 4, want: "**missed**: 0.40x the floor, where 0.50x is wanted"},
		{most: 300, there: 100, floor: 200, v: 500, want: "reached in proportion: 2.50x the floor, where 3.00x is wanted"},
		{most: 300, there: 100, floor: math.NaN(), v: 500, want: "**missed**"},
	} {
		t.Run(test.want, func(t *testing.T) {
			target := target{least: test.least, most: test.most, there: test.there, floor: func(*Report) float64 { return test.floor }}
			is.New(t).Equal(target.verdict(nil, test.v, test.each), test.want)
		})
	}
}

// TestBest: a peer that failed hides none of the others, wherever it stands.
func TestBest(t *testing.T) {
	is, none := is.New(t), math.NaN()
	for _, c := range []struct {
		of          []float64
		least, most float64
	}{
		{[]float64{3, 1, 2}, 1, 3},
		{[]float64{none, 1, 2}, 1, 2},
		{[]float64{3, none, 2}, 2, 3},
		{[]float64{3, 1, none}, 1, 3},
	} {
		var of []func(*Report) float64
		for _, v := range c.of {
			of = append(of, func(*Report) float64 { return v })
		}
		is.Equal(best(true, of...)(nil), c.least)
		is.Equal(best(false, of...)(nil), c.most)
	}
	is.True(math.IsNaN(best(true, func(*Report) float64 { return none })(nil))) // all failed
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
	for dec := json.NewDecoder(bytes.NewReader(lines)); ; {
		var rec Record
		if err := dec.Decode(&rec); errors.Is(err, io.EOF) {
			break
		} else {
			is.NoErr(err)
		}
		is.Equal(rec.Error, "")
		is.True(rec.Res.Count > 0)
		is.Equal(rec.Dir, "") // no paths of this machine
		if !rec.Instead {
			n++
		}
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

// What is in no other test runs too, for a moment: what it measures, and that it
// leaves nothing behind.
func TestEveryKindOfWork(t *testing.T) {
	is := is.New(t)
	t.Setenv("TMPDIR", t.TempDir())
	before, err := filepath.Glob("/dev/shm/*bench-*")
	is.NoErr(err)
	var out, progress strings.Builder
	r := &runner{scratch: t.TempDir(), reps: 1, millis: 1, patience: time.Minute, records: &out, progress: &progress}
	_, _, err = r.run(t.Context(), plan(false, regexp.MustCompile(
		"(asleep/64/queue|paced/64/queue|connections-10/64/(socket|rpc|unixconn|ttrpc)|queues-10/64/queue|consumers-4/64/queue|"+
			"in-flight-deadline/64/(rpc|rpc-timeout|grpc)|relay/16777216/(relay|relay-socket|copy|iocopy-socket)|uncontended/64/(go-chan|queue-local-in-place)|memcpy/65536/shm|"+
			"objects/65536/(shm|file|socket|fifo|pipe|queue|net|mkfifo)|one-way-1x1/4096/.*pipe-raw|idle/1000/(shm|queue)-idle)$|objects/65536/.*-object$")))
	is.NoErr(err)
	for line := range strings.Lines(out.String()) {
		var rec Record
		is.NoErr(json.Unmarshal([]byte(line), &rec))
		if rec.Error != "" || rec.Res.Count == 0 {
			t.Errorf("%s", line)
		}
	}
	after, err := filepath.Glob("/dev/shm/*bench-*")
	is.NoErr(err)
	is.Equal(after, before)
}

// A peer that is absent or fails is named, with the reason, beside the others.
func TestFailuresAreReported(t *testing.T) {
	is := is.New(t)
	mechanisms["test-absent"] = &mechanism{label: "an absent peer", kind: Peer, program: &program{source: "zmq.c", build: []string{"no-such-compiler"}}}
	defer delete(mechanisms, "test-absent")
	g := Group{Work: PingPong, Size: 64, Mechs: []string{"test-absent", "test-broken"}}
	var records bytes.Buffer
	r := &runner{scratch: t.TempDir(), reps: 3, millis: 5, limit: time.Hour, patience: time.Minute, records: &records, progress: io.Discard}
	tables, n, err := r.run(t.Context(), []Group{g})
	is.NoErr(err)
	is.Equal(n, 3)
	is.Equal(tables[0].Outcomes["test-absent"].reason(), "absent: no no-such-compiler here")
	is.Equal(bytes.Count(records.Bytes(), []byte("\n")), 2) // what never worked isn't tried again
	var out strings.Builder
	is.NoErr((&Report{Tables: tables}).write(&out, false))
	is.True(strings.Contains(out.String(), "| an absent peer | absent: no no-such-compiler here |"))
	is.True(strings.Contains(out.String(), "| a broken peer | cannot serve today |"))
}

// A peer that hangs is killed with all its processes, reported, and stops nobody.
func TestHangingPeersAreKilled(t *testing.T) {
	is := is.New(t)
	t.Chdir(t.TempDir()) // where the server says who it is
	r := &runner{scratch: t.TempDir(), reps: 2, millis: 5, limit: time.Hour, patience: time.Second, records: io.Discard, progress: io.Discard}
	tables, _, err := r.run(t.Context(), []Group{{Work: PingPong, Size: 64, Mechs: []string{"test-hanging"}}})
	is.NoErr(err)
	is.Equal(tables[0].Outcomes["test-hanging"].reason(), "not finished after 1.015s, killed")
	servers, err := filepath.Glob("bench-*")
	is.NoErr(err)
	is.Equal(len(servers), 1)
	pid, err := os.ReadFile(servers[0])
	is.NoErr(err)
	n, err := strconv.Atoi(string(pid))
	is.NoErr(err)
	for begin := time.Now(); syscall.Kill(n, 0) == nil && !zombie(n); {
		if time.Since(begin) > time.Minute {
			t.Fatalf("server %d lives on", n)
		}
	}
}

// zombie reports whether a process has ended, though nobody waited for it.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

// A run that has no time left makes fewer repetitions, but never none.
func TestLimit(t *testing.T) {
	is := is.New(t)
	r := &runner{scratch: t.TempDir(), reps: 5, millis: 5, limit: time.Nanosecond, patience: time.Minute, records: io.Discard, progress: io.Discard}
	tables, n, err := r.run(t.Context(), plan(false, regexp.MustCompile("identity/0/acl-peer")))
	is.NoErr(err)
	is.Equal(n, 1)
	is.Equal(len(tables[0].Outcomes["acl-peer"].Results), 1)
}

// Whatever turns out to be faster than ours, the report says why.
func TestEveryPeerHasAReason(t *testing.T) {
	for _, g := range groups() {
		for _, name := range g.Mechs {
			if mechanisms[name].kind != Ours && strings.HasPrefix(why(g, name), "Unknown") {
				t.Errorf("%s in %s has none", name, g.Key())
			}
		}
	}
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

// The time of a program begins when its first producer does, not when the process that
// started it comes to look: producers send for as long as they are told, so it is no shorter.
func TestProgramTimesItsProducers(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler")
	}
	is := is.New(t)
	dir := t.TempDir()
	j := &Job{Mech: "c-ring", Work: OneWay, Size: 64, Producers: 1, Consumers: 1, Millis: 20, Dir: dir}
	floor := &program{source: floorC.source, build: floorC.build} // built here
	for range 40 {
		cmd, err := floor.command(t.Context(), dir, j)
		is.NoErr(err)
		out, err := cmd.Output()
		is.NoErr(err)
		var r Result
		is.NoErr(json.Unmarshal(out, &r))
		if took := float64(r.Count) / r.Rate; took < 0.02 {
			t.Fatalf("messages were sent for 20 ms, and the rate is of %.2f ms", 1000*took)
		}
	}
}
