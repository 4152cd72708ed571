package command

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func topVerb() *node {
	return &node{
		name:  "top",
		usage: "watch all objects live",
		about: "On a terminal it fills the screen. Keys: arrows choose, Enter shows one object and\n" +
			"goes back, s sorts by another column, / filters by name (Enter ends, Esc clears),\n" +
			"p pauses, q quits. ASLEEP counts the processes that wait for a queue: to get, or to\n" +
			"put; \"?\" where you may not trace a process that uses it. From 110 columns on it\n" +
			"shows redeliveries, the 99th percentile of the time in a queue, and who is attached.\n" +
			"Elsewhere it prints a table every interval.",
		flags: []cli.Flag{
			&cli.DurationFlag{Name: "interval", Usage: "look every `D`", Value: time.Second},
			&cli.IntFlag{Name: "count", Usage: "end after `N` looks"},
			&cli.StringFlag{Name: "kind", Usage: "only this kind`" + strings.Join(kinds, "|") + "`"},
			jsonFlag,
		},
		examples: []example{
			{"ipcctl top", "everything"},
			{"ipcctl top --kind queue --interval 250ms", "queues, more lively"},
			{"ipcctl top --json --count 1", "one look, for a script"},
		},
		run: runTop,
	}
}

// looked is an object at one moment, with what happened to it since the look
// before.
type looked struct {
	object
	Rates   *rates   `json:"rates,omitempty"`   // of a queue
	Waiters *waiters `json:"waiters,omitempty"` // for a queue

	stats queue.Stats
}

// observer looks at everything again and again.
type observer struct {
	kind   string
	last   map[string]queue.Stats // by queue
	lastAt time.Time
}

// look surveys the host.
func (ob *observer) look() ([]looked, error) {
	objects, err := survey(ob.kind, nil)
	if err != nil {
		return nil, err
	}
	now, stats := time.Now(), map[string]queue.Stats{}
	var out []looked
	for _, o := range objects {
		l := looked{object: o.forJSON()}
		if o.Kind == "queue" {
			if s, err := queueStatsOf(o.Name); err == nil {
				l.stats, stats[o.Name] = s, s
				before, known := ob.last[o.Name]
				if !known {
					before = s
				}
				r := ratesBetween(o.Name, before, s, max(now.Sub(ob.lastAt), time.Millisecond))
				l.Rates, l.Waiters = &r, waitersOf(o.Name, s.Holders)
			}
		}
		out = append(out, l)
	}
	ob.last, ob.lastAt = stats, now
	return out, nil
}

func runTop(c *call) error {
	kind, interval, count := c.str("kind"), c.flags.Duration("interval"), c.int("count")
	if kind != "" && !containsWord(kinds, kind) {
		return usagef("no kind %q%s", kind, didYouMean(kind, kinds, "%q"))
	}
	if interval < 10*time.Millisecond || c.set("count") && count < 1 {
		return usagef("--interval wants at least 10ms, --count at least 1")
	}
	ob := &observer{kind: kind}
	in, isFile := c.in.(*os.File)
	if c.width > 0 && isFile && columns(in) > 0 && !c.json() && os.Getenv("TERM") != "dumb" {
		return topScreen(c, ob, interval, count)
	}
	for i := 0; count == 0 || i < count; i++ {
		if i > 0 {
			if err := pause(c.ctx, interval); err != nil {
				return err
			}
		}
		all, err := looking(c, ob.look)
		if err != nil {
			return err
		}
		if c.json() {
			for _, l := range all {
				if err := c.print(l); err != nil {
					return err
				}
			}
			continue
		}
		wide := c.width == 0 || c.width >= wideEnough
		t := grid{head: topHead(wide), right: topRight}
		for _, l := range shown(all, "", 0) {
			t.add(l.cells(wide)...)
		}
		if err := t.write(c.out, c.paint, c.width); err != nil {
			return err
		}
		fmt.Fprintln(c.out)
		if err := c.flush(); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
