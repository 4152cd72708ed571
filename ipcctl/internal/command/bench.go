package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipcctl/ipc/ipcctl/internal/bench"
	"github.com/urfave/cli/v2"
)

func benchVerb() *node {
	return &node{
		name:  "bench",
		usage: "measure how much goes through, between processes",
		args:  "[socket|shared|pipe|queue]",
		about: "Without a mechanism it measures all. \"shared\" is a socket whose messages go\n" +
			"through shared memory, on Linux. What it makes has no name: nothing is left\n" +
			"behind. The figures are of this machine at this moment; compare those of one run.",
		flags: append([]cli.Flag{
			&cli.IntFlag{Name: "producers", Usage: "processes that put into the queue", Value: 1},
			&cli.IntFlag{Name: "consumers", Usage: "processes that take from it", Value: 1},
			&cli.IntFlag{Name: "batch", Usage: "put `N` messages into the queue at a time", Value: 1},
		}, measureFlags("64,1KiB,16KiB")...),
		examples: []example{
			{"ipcctl bench", "everything, in half a minute"},
			{"ipcctl bench queue --size 64 --producers 2 --consumers 2 --batch 32", "a crowd"},
			{"ipcctl bench --save before.json; …; ipcctl bench --compare before.json", "did a change matter?"},
			{"ipcctl bench --plot bench.svg", "a picture of throughput by size"},
		},
		run: runBench,
	}
}

// measureFlags are common to bench and latency.
func measureFlags(sizes string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "size", Usage: "message `SIZES`, with commas", Value: sizes},
		&cli.DurationFlag{Name: "duration", Usage: "measure each for `D`", Value: time.Second},
		&cli.StringFlag{Name: "save", Usage: "save the results in `FILE`, as JSON"},
		&cli.StringFlag{Name: "compare", Usage: "compare with the results in `FILE`"},
		&cli.StringFlag{Name: "plot", Usage: "draw a picture, an SVG, into `FILE`"},
		jsonFlag,
	}
}

// measured is what the flags common to bench and latency say.
type measured struct {
	verb       string
	self       string
	mechanisms []string
	sizes      []int
	duration   time.Duration
	base       map[string]float64 // of --compare
	results    []any
	figures    map[string]float64 // for --save
}

func (c *call) measured(verb string) (*measured, error) {
	m := &measured{verb: verb, mechanisms: bench.Mechanisms(), duration: c.flags.Duration("duration"), figures: map[string]float64{}}
	if one := c.arg(0); one != "" {
		if !containsWord(m.mechanisms, one) {
			return nil, usagef("no mechanism %q%s", one, didYouMean(one, m.mechanisms, "%q"))
		}
		m.mechanisms = []string{one}
	}
	if m.duration <= 0 || m.duration > time.Hour {
		return nil, usagef("--duration %v: want up to an hour", m.duration)
	}
	for _, text := range strings.Split(c.str("size"), ",") {
		n, err := parseSize(text)
		if err != nil {
			return nil, usagef("--size: %v", err)
		}
		if n < 1 || n > 64<<20 {
			return nil, usagef("--size %s: want 1 byte to 64MiB", text)
		}
		m.sizes = append(m.sizes, int(n))
	}
	var err error
	for _, flag := range []string{"save", "plot"} { // a file that can't be made costs no measurement
		if c.set(flag) {
			if _, err := os.Stat(filepath.Dir(c.str(flag))); err != nil {
				return nil, err
			}
		}
	}
	if c.set("compare") {
		s, err := readFigures(c.str("compare"), verb)
		if err != nil {
			return nil, err
		}
		if m.base = s.Figures; s.Machine != machine() {
			c.notef("the saved figures are of another machine: %s", s.Machine)
		}
	}
	m.self, err = os.Executable()
	return m, err
}

func runBench(c *call) error {
	m, err := c.measured("bench")
	if err != nil {
		return err
	}
	load := bench.Load{Batch: c.int("batch"), Producers: c.int("producers"), Consumers: c.int("consumers"), Duration: m.duration}
	if min(load.Batch, load.Producers, load.Consumers) < 1 || max(load.Producers, load.Consumers) > 64 || load.Batch > 256 {
		return usagef("--batch wants 1 to 256, --producers and --consumers 1 to 64")
	}
	t := grid{head: []string{"MECHANISM", "SIZE", "PROCESSES", "MESSAGES/S", "BYTES/S"}, right: []string{"SIZE", "PROCESSES", "MESSAGES/S", "BYTES/S", "CHANGE"}}
	if m.base != nil {
		t.head = append(t.head, "CHANGE")
	}
	p := c.progress("", len(m.mechanisms)*len(m.sizes))
	defer p.clear()
	var curves []series
	for _, name := range m.mechanisms {
		curve := series{name: name}
		for _, size := range m.sizes {
			one := load
			if one.Mechanism, one.Size = name, size; name != "queue" {
				one.Batch, one.Producers, one.Consumers = 1, 1, 1
			}
			p.next(len(m.results), fmt.Sprintf("%s, %s", name, formatSize(int64(size))))
			r, err := bench.MeasureThroughput(c.ctx, m.self, one, p.show)
			if err != nil {
				return err
			}
			row := []string{c.paint.bold(name), formatSize(int64(size)), fmt.Sprintf("%d→%d", r.Producers, r.Consumers), formatRate(r.PerSecond), formatRate(r.Bytes) + "B"}
			key := fmt.Sprintf("%s/%d", name, size)
			if one.Batch*one.Producers*one.Consumers > 1 {
				key += fmt.Sprintf("/%dx%d/batch %d", one.Producers, one.Consumers, one.Batch)
			}
			change := m.change(key, r.PerSecond)
			if m.base != nil {
				row = append(row, c.changeCell(change, true))
			}
			t.add(row...)
			curve.x, curve.y = append(curve.x, float64(size)), append(curve.y, r.PerSecond)
			m.results = append(m.results, r)
			if c.json() {
				if err := c.print(struct {
					bench.Throughput
					Change *float64 `json:"change_percent,omitempty"`
				}{r, change}); err != nil {
					return err
				}
			}
		}
		curves = append(curves, curve)
	}
	p.clear()
	return c.finish(m, &t, picture{title: "Throughput by message size", x: "message size", y: "messages a second", series: curves})
}

// finish shows the table, and writes the files that were asked for.
func (c *call) finish(m *measured, t *grid, drawn picture) error {
	if !c.json() {
		fmt.Fprintln(c.out, c.paint.dim(machine()))
		if err := t.write(c.out, c.paint, 0); err != nil {
			return err
		}
	}
	if c.set("save") {
		if err := saveFigures(c.str("save"), m); err != nil {
			return err
		}
	}
	if c.set("plot") {
		svg, err := drawn.draw()
		if err != nil {
			return err
		}
		return os.WriteFile(c.str("plot"), svg, 0o644)
	}
	return nil
}

func containsWord(words []string, w string) bool {
	for _, have := range words {
		if have == w {
			return true
		}
	}
	return false
}

// formatRate writes a rate with three digits: 2.61M, 840k.
func formatRate(n float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if n >= u.size {
			return fmt.Sprintf("%.3g%s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g", n)
}

func benchPeerVerb() *node {
	return &node{
		name:   "bench-peer",
		usage:  "take part in a measurement",
		args:   "ROLE [ARGUMENT...]",
		hidden: true,
		run:    func(c *call) error { return bench.Play(c.ctx, c.args()) },
	}
}
