package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// A Table is a group with what was measured.
type Table struct {
	Group
	Outcomes map[string]*Outcome
}

// A Report is one run.
type Report struct {
	Begin, End            time.Time
	LoadBefore, LoadAfter float64
	Foreign               float64 // share of the CPUs that others used, 0 to 1
	ForeignKnown          bool
	Reps, Planned, Millis int // repetitions made and asked for, and milliseconds of each
	Args                  []string
	Machine               []fact
	Tables                []Table
}

// median returns a figure of a mechanism in the group with a key, NaN if it was
// not measured.
func (r *Report) median(key, mech string, figure func(Result) float64) float64 {
	for _, t := range r.Tables {
		if t.Key() == key {
			return t.Outcomes[mech].spreadOf(figure).Median
		}
	}
	return math.NaN()
}

// repetition returns the report of the i-th repetition alone, without the mechanisms that
// failed in one.
func (r *Report) repetition(i int) *Report {
	one := new(Report)
	for _, t := range r.Tables {
		outcomes := map[string]*Outcome{}
		for name, o := range t.Outcomes {
			if len(o.Failed) == 0 && i < len(o.Results) {
				outcomes[name] = &Outcome{Results: o.Results[i : i+1]}
			} else {
				outcomes[name] = new(Outcome)
			}
		}
		one.Tables = append(one.Tables, Table{t.Group, outcomes})
	}
	return one
}

// figure is what the mechanisms of a table are compared by.
func (t Table) figure(res Result) float64 {
	switch {
	case t.Rates():
		return res.Rate
	case t.Work == Idle:
		return res.Bytes
	}
	return res.P50
}

// slower returns how many times slower a is than b.
func (t Table) slower(a, b float64) float64 {
	if t.Rates() {
		return b / a
	}
	return a / b
}

// reference returns the mechanism that the others are compared with: the
// fastest of ours that does all the work. There is none where the objects differ.
func (t Table) reference() string {
	var name string
	for _, m := range t.Mechs {
		if strings.HasSuffix(m, "-in-place") || t.Work == Objects || t.Work == Idle {
			continue
		}
		if mechanisms[m].kind != Ours || len(t.outcome(m).Results) == 0 {
			continue
		}
		if name == "" || t.slower(t.median(name), t.median(m)) > 1 {
			name = m
		}
	}
	return name
}

func (t Table) outcome(mech string) *Outcome {
	if o := t.Outcomes[mech]; o != nil {
		return o
	}
	return new(Outcome)
}

func (t Table) median(mech string) float64 { return t.outcome(mech).spreadOf(t.figure).Median }

// text writes the figure that mechanisms are compared by.
func (t Group) text() func(float64) string {
	switch {
	case t.Rates():
		return rateText
	case t.Work == Idle:
		return bytesText
	}
	return timeText
}

func bytesText(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return digits(v/1024) + " KiB"
}

// timeText writes nanoseconds with three digits.
func timeText(ns float64) string {
	switch {
	case math.IsNaN(ns):
		return "-"
	case ns < 1e3:
		return digits(ns) + " ns"
	case ns < 1e6:
		return digits(ns/1e3) + " us"
	case ns < 1e9:
		return digits(ns/1e6) + " ms"
	}
	return digits(ns/1e9) + " s"
}

// rateText writes how many a second with three digits.
func rateText(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case v >= 1e6:
		return digits(v/1e6) + " M/s"
	case v >= 1e3:
		return digits(v/1e3) + " k/s"
	}
	return digits(v) + " /s"
}

func digits(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func rangeText(s Spread, text func(float64) string) string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%s – %s)", text(s.Median), text(s.Min), text(s.Max))
}

// write writes the report, with its plots if there are any.
func (r *Report) write(to io.Writer, plots bool) error {
	w := bufio.NewWriter(to)
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	p("# Performance\n\nWritten by the program in [bench](../bench/README.md) from what it measured; nothing here is typed in by hand.\n\n")
	r.writeConditions(p)
	r.writeTargets(p)
	r.writeSlower(p)
	p("## Tables\n\n")
	p("Each cell is the median over the repetitions, with the least and the greatest in parentheses; a measurement that failed says so in its row. ")
	p("“Slower” is how many times slower than the fastest of ours in the same table (below 1: faster). **Ours** are bold; what works in place copies nothing, so nothing is compared with it.\n\n")
	for i := 0; i < len(r.Tables); { // ends: every table has a column at least
		columns := r.series(i)
		switch t := r.Tables[i]; {
		case t.Series != "":
			writeSeries(p, columns, plots)
		case t.Work == Objects:
			writeObjects(p, t)
		default:
			writeTable(p, t, plots)
		}
		i += len(columns)
	}
	r.writeMissing(p)
	return w.Flush()
}

func (r *Report) writeConditions(p func(string, ...any)) {
	p("## How these figures came about\n\n")
	p("`go run .%s`, begun %s, took %s. Load of the machine (one minute, this run included) %.2f before and %.2f after.", options(r.Args),
		r.Begin.UTC().Format("2006-01-02 15:04 UTC"), r.End.Sub(r.Begin).Round(time.Second), r.LoadBefore, r.LoadAfter)
	if r.ForeignKnown {
		p(" Other programs used %.0f%% of the CPUs meanwhile.", 100*r.Foreign)
		if r.Foreign > 0.05 {
			p(" **So absolute figures are worse than the machine allows, and ratios less certain.**")
		}
	}
	if share, ok := r.stolen(); ok {
		p(" The hypervisor gave %.1f%% of the CPUs to others during the repetitions that count.", 100*share)
	}
	p("%s", coresText(r.cores()))
	p("\n\n| | |\n|---|---|\n")
	for _, f := range r.Machine {
		p("| %s | %s |\n", f.name, f.value)
	}
	p(`
- Every repetition runs in processes of its own: a driver, and a server or
  producers and consumers. %d repetitions of %d ms (round trips: after a fifth of
  that to warm up), of %d that were planned. All tables are measured once, then
  all again; within a table all mechanisms run one after the other, each time
  beginning with another one. A measurement that does not end is killed and
  reported as failed. Every repetition is a line of
  [results.jsonl](performance/results.jsonl).
- A repetition during which the hypervisor gave more than %g%% of the CPUs to others,
  or a CPU's list of free pages grew by more than %d MiB (then what goes through the
  kernel meets pages that are in no cache, and that the hypervisor may have taken
  away: up to ten times slower for large messages; the lists are filled then), was
  made again, up to %d times in all. The one that was disturbed least counts, whatever its result, unless one
  failed: then that does.
- *Round trip*: a message there and back; the clock is read once a turn, which is
  part of the figure (about 25–50 ns). *To a process that sleeps*: before each
  one, the driver computes for %d us, so that the other side has gone to sleep; the
  driver itself may spin for the answer, if its mechanism does. *Both sides
  asleep*: the other side computes for as long again before it answers, which is
  taken off the figure; so the driver sleeps too.
- *One way*: from the moment the first producer begins until the last consumer
  has seen the end, buffers flushed; a run in which a message is missing is
  reported as failed. Consumers read no more of a message than its mechanism
  copies; *in place* neither side copies the message.
- *Length prefix*: four bytes before each message, written by hand. Who reads has a
  bufio.Reader; of 64 KiB and more, who writes makes no copy. From 16 KiB on, and for
  pipes with bufio, the kernel is asked for as much room as ours ask for without being
  told: 256 KiB for a pipe, 512 KiB for a socket. A pipe without messages has 256 KiB
  for more than 64 KiB a write.
- *How much a queue holds*: ours, Boost's and the ring in C 1 MiB of messages, but ours
  and Boost's at least 16 entries and at most 1,024; Vyukov's ring 1,024 messages. POSIX
  queues hold 10 and those of System V 16 KiB, as the system has it: 1,024 messages of
  64 B were no faster.
- *Beside programs that compute*: one for each CPU, with the same priority, for as long
  as the repetition takes. The kernel lets one who was asleep go before them, and one
  who has spun behind.
- *Over the next of many*: all are open at a time, one goroutine of the server
  waits at each, and one round trip at a time goes over the next of them.
- *One way to many consumers*: one producer; each message goes to one of them. With
  16 consumers and more a repetition takes four times as long.
- *Calls in flight*: %d goroutines calling; drpc has a connection for each of
  them, the others one connection for all.
- *Each call with a deadline*: of a minute, which it does not meet, in a context that is
  made for the call, or for ours in the request. Other calls, and all
  of net/rpc, which knows none, have no context that ends: ours pay for one only where
  there is one, gRPC always.
- *Over the stream of a call*: the producer calls once and sends, the consumer's
  handler counts. Receivers of gRPC and drpc use the memory of one message for the
  next, as ours do where memory goes round. drpc with ManualFlush writes when its
  buffer is full, as ours and gRPC do without being told; it has 64 KiB, as ours.
- *gRPC* has windows of 8 MiB, which is more than any message, and a codec that copies
  each message once, out of its memory; otherwise its options are as they come.
- *Decisions*: every rule is about another user; 1,024 different requests, every
  second one denied.
- *In one process*: a message is copied in and copied out again, except in place.
- *The life of an object*: opening is done beside its maker and in the same
  process, and closing is that of what was opened, or of the object where there
  is nothing to open.
- Programs in C are compiled with -O2 -DNDEBUG, in C++ with -O3 too. Those that
  spin give the CPU away now and then. Nothing is pinned, except where a table says *a CPU for each
  side*: then the driver or producer stays on the first CPU and the server or
  consumer on the last, from when both are ready.
- What absolute times show most is where the scheduler put the processes: two that
  share a CPU hand over in a few us, waking one on an idle virtual CPU takes tens
  of us. The spread shows it; ratios of sleeping mechanisms inherit it.
- What spinning mechanisms show most is where the hypervisor put the CPUs: a message
  from one to the other takes two to six times as long where they are far apart, and up
  to twice as long where another machine is on the other thread of a core. Neither
  has a repetition made again; each says in results.jsonl what it met (*cores*).

`, r.Reps, r.Millis, r.Planned, 100*stolenLimit, grownLimit>>20, stolenTries, pauseMicros, flying)
}

// stolen returns which share of the CPUs the hypervisor gave to others during the
// repetitions that count, and whether it did at all.
func (r *Report) stolen() (float64, bool) {
	sum, n := 0.0, 0
	for _, t := range r.Tables {
		for _, o := range t.Outcomes {
			sum += o.Stolen
			n += len(o.Results) + len(o.Failed)
		}
	}
	return sum / float64(max(n, 1)), sum > 0
}

// cores returns what the CPUs were like before the repetitions that count.
func (r *Report) cores() (all []cores) {
	for _, t := range r.Tables {
		for _, o := range t.Outcomes {
			all = append(all, o.Cores...)
		}
	}
	return all
}

// options are the arguments that change what is measured, without paths.
func options(args []string) string {
	var s string
	for i := 0; i < len(args); i++ {
		name := strings.TrimLeft(args[i], "-")
		switch {
		case name == "out":
			i++
		case strings.HasPrefix(name, "out="):
		default:
			s += " " + args[i]
		}
	}
	return s
}

func (r *Report) writeTargets(p func(string, ...any)) {
	p("## What the modules are built to reach\n\nRatios of medians of this run; in parentheses the least and the greatest of a single repetition. Absolute targets were set on another machine; beside them is what the floor took here. A target that is missed as it stands counts as *reached in proportion* if it is no further from the floor here than there, as far as that is known.\n\n| | target | this run | |\n|---|---|---|---|\n")
	var single []*Report
	for i := range r.Reps {
		single = append(single, r.repetition(i))
	}
	for _, t := range targets() {
		v := t.value(r)
		if math.IsNaN(v) {
			p("| %s | %s | not measured | |\n", t.what, t.wanted())
			continue
		}
		var each []float64
		for _, s := range single {
			if v := t.value(s); !math.IsNaN(v) {
				each = append(each, v)
			}
		}
		p("| %s | %s | %s | %s |\n", t.what, t.wanted(), t.text(v, each)+t.context(r), t.verdict(r, v, each))
	}
	p("\n")
}

func (r *Report) writeSlower(p func(string, ...any)) {
	p("## Where we are slower, and why\n\n")
	p("Everything that was faster than the fastest of ours at the same work, and every direct alternative that was faster than its counterpart. The reasons follow from how the mechanisms work; no measurement here separates them. Where the repetitions of the two overlap, the order could be chance, and *overlap* says so.\n\n")
	p("| work | faster | by how much | why |\n|---|---|---|---|\n")
	none := true
	for _, t := range r.Tables {
		ref := t.reference()
		for _, m := range t.Mechs {
			if mechanisms[m].kind == Ours {
				continue
			}
			for _, ours := range t.Mechs {
				if ours != ref && !slices.Contains(rivals[ours], m) {
					continue
				}
				// As it is printed: 1.00x is no difference.
				if s := t.slower(t.median(ours), t.median(m)); math.Round(s*100) > 100 {
					p("| %s | %s | %s as fast as %s%s | %s |\n", t.Title(), mechanisms[m].label, times(s), mechanisms[ours].label, t.overlap(ours, m), why(t.Group, m))
					none = false
				}
			}
		}
	}
	if none {
		p("| nothing | | | |\n")
	}
	p("\n")
}

// overlap is a remark where the ranges of two mechanisms do.
func (t Table) overlap(a, b string) string {
	x, y := t.outcome(a).spreadOf(t.figure), t.outcome(b).spreadOf(t.figure)
	if x.Min <= y.Max && y.Min <= x.Max {
		return " (overlap)"
	}
	return ""
}

func (r *Report) writeMissing(p func(string, ...any)) {
	p("## Not measured\n\n")
	for _, s := range slots {
		p("- %s: %s. A place for its adapter is in bench/mechanisms.go.\n", s.name, s.why)
	}
	p("- What only hardware counters tell (cache misses, locked instructions): virtual machines often have none.\n")
}
