// Command bench measures the modules of this repository beside what one would
// use instead of them, in one run and in processes of their own, and writes a
// report of it.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

func main() {
	if role := os.Getenv("BENCH_ROLE"); role != "" {
		if err := runRole(role, os.Getenv("BENCH_JOB")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	short := flags.Bool("short", false, "about two minutes: fewer sizes, shorter repetitions")
	only := flags.String("only", "", "measure only what `PATTERN` matches, as in ping-pong/64/queue")
	out := flags.String("out", "", "write PERFORMANCE.md and performance/ to `DIR`; without it the report goes to standard output")
	reps := flags.Int("reps", 0, "repetitions of each measurement (3 with -short, else 5)")
	millis := flags.Int("millis", 0, "milliseconds of each repetition (80 with -short, else 300)")
	limit := flags.Duration("limit", 0, "make fewer repetitions, but at least one, if they would take longer (2m with -short, else 20m)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var pattern *regexp.Regexp
	if *only != "" {
		var err error
		if pattern, err = regexp.Compile(*only); err != nil {
			return err
		}
	}
	usual := struct {
		reps, millis int
		limit        time.Duration
	}{5, 300, 20 * time.Minute}
	if *short {
		usual.reps, usual.millis, usual.limit = 3, 80, 2*time.Minute
	}
	*reps, *millis, *limit = cmp.Or(*reps, usual.reps), cmp.Or(*millis, usual.millis), cmp.Or(*limit, usual.limit)
	groups := plan(*short, pattern)
	if len(groups) == 0 {
		return fmt.Errorf("nothing matches %q", *only)
	}
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	// The records of a run that is called off are kept too, beside the old ones.
	records, lines := io.Discard, (*os.File)(nil)
	if *out != "" {
		if err := os.MkdirAll(filepath.Join(*out, "performance"), 0o755); err != nil {
			return err
		}
		if lines, err = os.Create(filepath.Join(*out, "performance", "results.jsonl.new")); err != nil {
			return err
		}
		defer lines.Close()
		records = lines
	}
	r := &runner{scratch: scratch, reps: *reps, millis: *millis, limit: *limit, patience: 15 * time.Second, records: records, progress: progress}
	rep := &Report{Begin: time.Now(), LoadBefore: load(), Planned: *reps, Millis: *millis, Args: args, Machine: machine()}
	before := cpuUsage()
	if rep.Tables, rep.Reps, err = r.run(ctx, groups); err != nil {
		return err
	}
	rep.End, rep.LoadAfter = time.Now(), load()
	rep.Foreign, rep.ForeignKnown = foreign(before, cpuUsage(), rep.End.Sub(rep.Begin), runtime.NumCPU())
	if *out == "" {
		return rep.write(os.Stdout, false)
	}
	if err := lines.Close(); err != nil {
		return err
	}
	dir := filepath.Join(*out, "performance")
	if err := os.Rename(lines.Name(), filepath.Join(dir, "results.jsonl")); err != nil {
		return err
	}
	if err := rep.plots(dir); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(*out, "PERFORMANCE.md"))
	if err != nil {
		return err
	}
	return errors.Join(rep.write(f, true), f.Close())
}
