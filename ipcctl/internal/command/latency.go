package command

import (
	"fmt"
	"math"
	"time"

	"github.com/ipcctl/ipc/ipcctl/internal/bench"
	"github.com/urfave/cli/v2"
)

func latencyVerb() *node {
	return &node{
		name:  "latency",
		usage: "measure round trips between processes",
		args:  "[socket|shared|pipe|queue]",
		about: "A message goes to another process and comes back. \"shared\" is a socket whose\n" +
			"messages go through shared memory, on Linux. --intrinsic measures what the\n" +
			"machine itself adds to any latency: how long a process that only looks at the\n" +
			"clock is kept from doing so.",
		flags: append([]cli.Flag{
			&cli.DurationFlag{Name: "spin", Usage: "let a socket poll for up to `D` before it sleeps"},
			&cli.BoolFlag{Name: "intrinsic", Usage: "measure the machine's own noise"},
		}, measureFlags("64,16KiB")...),
		examples: []example{
			{"ipcctl latency", "everything, in a few seconds"},
			{"ipcctl latency socket --size 64 --spin 50us", "does spinning help here?"},
			{"ipcctl latency --intrinsic --duration 10s", "is this machine quiet?"},
			{"ipcctl latency --plot latency.svg", "a picture of the distributions"},
		},
		run: runLatency,
	}
}

func runLatency(c *call) error {
	m, err := c.measured("latency")
	if err != nil {
		return err
	}
	if c.flags.Duration("spin") < 0 {
		return usagef("--spin is negative")
	}
	if c.bool("intrinsic") && c.arg(0) != "" {
		return usagef("--intrinsic measures no mechanism")
	}
	t := grid{
		head:  []string{"MECHANISM", "SIZE", "MIN", "P50", "P90", "P99", "MAX", "ROUND TRIPS"},
		right: []string{"SIZE", "MIN", "P50", "P90", "P99", "MAX", "ROUND TRIPS", "CHANGE"},
	}
	if m.base != nil {
		t.head = append(t.head, "CHANGE")
	}
	var curves []series
	add := func(r bench.Latency) error {
		row := []string{c.paint.bold(r.Mechanism), formatSize(int64(r.Size))}
		for _, d := range []time.Duration{r.Min, r.P50, r.P90, r.P99, r.Max} {
			row = append(row, formatShort(d))
		}
		row = append(row, formatCount(r.Trips))
		key := fmt.Sprintf("%s/%d", r.Mechanism, r.Size)
		if spin := c.flags.Duration("spin"); spin > 0 && (r.Mechanism == "socket" || r.Mechanism == "shared") {
			key += "/spin " + spin.String()
		}
		change := m.change(key, float64(r.P50))
		if m.base != nil {
			row = append(row, c.changeCell(change, false))
		}
		t.add(row...)
		curves = append(curves, distribution(r))
		m.results = append(m.results, r)
		if c.json() {
			return c.print(struct {
				bench.Latency
				Change *float64 `json:"change_percent,omitempty"`
			}{r, change})
		}
		return nil
	}
	steps := len(m.mechanisms) * len(m.sizes)
	if c.bool("intrinsic") {
		steps = 1
	}
	p := c.progress("", steps)
	defer p.clear()
	if c.bool("intrinsic") {
		p.next(0, "intrinsic")
		r := bench.Intrinsic(c.ctx, m.duration, p.show)
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := add(r); err != nil {
			return err
		}
	} else {
		for _, name := range m.mechanisms {
			for _, size := range m.sizes {
				p.next(len(m.results), fmt.Sprintf("%s, %s", name, formatSize(int64(size))))
				r, err := bench.MeasureLatency(c.ctx, m.self, name, size, m.duration, c.flags.Duration("spin"), p.show)
				if err != nil {
					return err
				}
				if err := add(r); err != nil {
					return err
				}
			}
		}
	}
	p.clear()
	return c.finish(m, &t, picture{title: "Round trips: how many take how long", x: "percentile", y: "round trip", series: curves, percentiles: true})
}

// distribution is a curve of latencies over percentiles, the high ones drawn
// out: 90, 99, 99.9 % lie equally far apart.
func distribution(r bench.Latency) series {
	s := series{name: fmt.Sprintf("%s %s", r.Mechanism, formatSize(int64(r.Size)))}
	n := len(r.Sorted)
	for nines := 0.0; nines <= 4; nines += 0.05 {
		i := int(float64(n) * (1 - math.Pow(10, -nines)))
		if n-i < 2 {
			break
		}
		s.x, s.y = append(s.x, nines), append(s.y, max(float64(r.Sorted[i]), 1))
	}
	return s
}

// formatShort writes a duration with about three digits.
func formatShort(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%dns", d)
	case d < time.Millisecond:
		return fmt.Sprintf("%.3gµs", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.3gms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.3gs", d.Seconds())
}
