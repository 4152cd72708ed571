package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ipcctl/ipc/queue"
)

// A runner makes the repetitions, one after the other.
type runner struct {
	scratch  string // directory for sockets and compiled programs
	reps     int
	millis   int
	limit    time.Duration // begin no repetition that would end later
	patience time.Duration // how long a measurement may take beyond what it measures
	records  io.Writer     // a line for each repetition
	progress io.Writer
	serial   int
}

// Outcome is what all repetitions of one mechanism in a group gave.
type Outcome struct {
	Results []Result
	Failed  []string // why, once for each repetition that failed
	Cores   []cores  // before each repetition, if known
	Stolen  float64  // sum of the shares that were stolen from each repetition
}

// run measures all groups once, then all again. Within a group all mechanisms
// run one after the other, so that what the machine does meanwhile meets all
// alike. It makes no more repetitions than fit the limit, but always one, and
// returns how many.
func (r *runner) run(ctx context.Context, groups []Group) ([]Table, int, error) {
	var tables []Table
	for _, g := range groups {
		tables = append(tables, Table{g, map[string]*Outcome{}})
	}
	begin, longest := time.Now(), time.Duration(0)
	for rep := range r.reps {
		from := time.Now()
		if rep > 0 && from.Sub(begin)+longest > r.limit {
			return tables, rep, nil
		}
		for i, t := range tables {
			if err := r.round(ctx, t, rep, fmt.Sprintf("[%d/%d, %d/%d]", rep+1, r.reps, i+1, len(tables))); err != nil {
				return nil, 0, err
			}
		}
		longest = max(longest, time.Since(from))
	}
	return tables, r.reps, nil
}

// round runs each mechanism of a table once, each time beginning with another.
func (r *runner) round(ctx context.Context, t Table, rep int, place string) error {
	for i := range t.Mechs {
		name := t.Mechs[(i+rep)%len(t.Mechs)]
		o := t.Outcomes[name]
		if o == nil {
			o = new(Outcome)
			t.Outcomes[name] = o
		}
		if len(o.Failed) > 0 && len(o.Results) == 0 {
			continue // it does not work: once is enough
		}
		rec := Record{Rep: rep + 1, Load: load()}
		rec.Job = Job{Mech: name, Work: t.Work, Size: t.Size, Producers: t.Producers, Consumers: t.Consumers, Many: t.Many, Apart: t.Apart, Deadline: t.Deadline, Busy: t.Busy, Millis: t.millis(r.millis)}
		record := func(is try, instead bool) error {
			rec := rec
			rec.Res, rec.Cores, rec.Stolen, rec.Grown, rec.Instead = is.res, is.cores, is.stolen, is.grown, instead
			if is.err != nil {
				rec.Error = is.err.Error()
			}
			return json.NewEncoder(r.records).Encode(rec)
		}
		took, err := undisturbed(ctx, lookAtMachine, fillPageLists,
			func() (Result, error) { return r.once(ctx, rec.Job) },
			func(is try) error { return record(is, true) })
		if err != nil {
			return err
		}
		if took.cores != nil {
			o.Cores = append(o.Cores, *took.cores)
		}
		if o.Stolen += took.stolen; took.err != nil {
			o.Failed = append(o.Failed, took.err.Error())
		} else {
			o.Results = append(o.Results, took.res)
		}
		if err := record(took, false); err != nil {
			return err
		}
		fmt.Fprintf(r.progress, "%s %-24s %-16s %s\n", place, t.Key(), name, outcomeText(t.Group, took.res, took.err))
	}
	return nil
}

func outcomeText(g Group, res Result, err error) string {
	if err != nil {
		return err.Error()
	}
	switch {
	case g.Rates():
		return rateText(res.Rate)
	case g.Work == Idle:
		return bytesText(res.Bytes)
	case res.P99 == 0:
		return timeText(res.P50)
	}
	return fmt.Sprintf("p50 %s, p99 %s", timeText(res.P50), timeText(res.P99))
}

// once runs one repetition in processes of its own and cleans up after it.
func (r *runner) once(ctx context.Context, j Job) (res Result, err error) {
	m := mechanisms[j.Mech]
	r.serial++
	j.Name = fmt.Sprintf("bench-%d-%d", os.Getpid(), r.serial)
	j.Dir = filepath.Join(r.scratch, fmt.Sprint(r.serial))
	if err := os.Mkdir(j.Dir, 0o700); err != nil {
		return res, err
	}
	defer func() {
		os.RemoveAll(j.Dir)
		for _, name := range j.queues() {
			if e := queue.Remove(name); e != nil && !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}()
	var cmd *exec.Cmd
	if m.program != nil {
		// Building is not measuring: it has its own time.
		if _, err := m.program.command(ctx, r.scratch, &j); err != nil {
			return res, err
		}
	}
	patience := r.patience + 3*j.length()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if m.program != nil {
		cmd, err = m.program.command(limited, r.scratch, &j)
	} else {
		var plain *exec.Cmd
		if plain, err = roleCommand("drive", &j); err == nil {
			cmd = exec.CommandContext(limited, plain.Path)
			cmd.Env = plain.Env
		}
	}
	if err != nil {
		return res, err
	}
	if j.Busy {
		stop, err := computing(limited, &j)
		defer stop()
		if err != nil {
			return res, err
		}
	}
	// The whole group of processes ends with the driver, or with its time.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	defer func() {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // as a rule nobody is left
		}
	}()
	cmd.WaitDelay = 2 * time.Second
	var out bytes.Buffer
	said := new(tail)
	cmd.Stdout, cmd.Stderr = &out, said
	err = cmd.Run()
	switch {
	case limited.Err() != nil:
		return res, fmt.Errorf("not finished after %v, killed", patience)
	case err != nil && said.String() != "":
		return res, errors.New(said.String())
	case err != nil:
		return res, err
	}
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		return res, fmt.Errorf("its result %q: %w", out.String(), err)
	}
	if res.Count == 0 {
		return res, errors.New("nothing was measured in the time")
	}
	return res, nil
}

// load returns the machine's load over the last minute, 0 where unknown.
func load() (l float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(string(text), &l) // 0 if it isn't a number
	}
	return l
}

// spreadOf returns the spread of one figure over the repetitions.
func (o *Outcome) spreadOf(figure func(Result) float64) Spread {
	var v []float64
	if o != nil {
		for _, r := range o.Results {
			v = append(v, figure(r))
		}
	}
	return spread(v)
}

// reason says why there is no result.
func (o *Outcome) reason() string {
	if o == nil || len(o.Failed) == 0 {
		return "not measured"
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(o.Failed))), "; ")
}
