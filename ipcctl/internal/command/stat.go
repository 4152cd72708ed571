package command

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func statVerb() *node {
	return &node{
		name:  "stat",
		usage: "show the rates of a queue, or what is known about any object",
		args:  "NAME",
		about: "Of a queue, with --interval, one line for each interval until it is interrupted:\n" +
			"how many messages wait and how many a second were put and taken. Of any other\n" +
			"object, what ipcctl ls knows.",
		flags: []cli.Flag{
			&cli.DurationFlag{Name: "interval", Usage: "measure for `D`, again and again"},
			&cli.IntFlag{Name: "count", Usage: "end after `N` intervals"},
			jsonFlag,
		},
		examples: []example{
			{"ipcctl stat jobs --interval 1s", "follow a queue"},
			{"ipcctl stat /run/app.sock", "who serves it, who may connect?"},
		},
		run: runStat,
	}
}

// rates is what happened to a queue in an interval.
type rates struct {
	Time     time.Time `json:"time"`
	Name     string    `json:"name"`
	Waiting  int       `json:"waiting"`
	Capacity int       `json:"capacity"`
	Leased   int       `json:"leased"`
	Puts     float64   `json:"puts_per_second"`
	Gets     float64   `json:"gets_per_second"`
	Requeued float64   `json:"requeued_per_second"`
	Users    int       `json:"users"`
}

// ratesBetween compares two looks at a queue.
func ratesBetween(name string, a, b queue.Stats, d time.Duration) rates {
	per := func(from, to uint64) float64 {
		if to < from { // a number that is the difference of two others
			return 0
		}
		return float64(to-from) / d.Seconds()
	}
	pids := map[int]bool{}
	for _, h := range b.Holders {
		if h.Alive {
			pids[h.PID] = true
		}
	}
	if !a.Created.Equal(b.Created) { // the queue was made anew
		a = queue.Stats{}
	}
	return rates{
		Time: time.Now(), Name: name, Waiting: b.Len, Capacity: b.Capacity, Leased: b.Leased,
		Puts: per(a.Puts, b.Puts), Gets: per(a.Gets, b.Gets), Requeued: per(a.Requeued, b.Requeued), Users: len(pids),
	}
}

func runStat(c *call) error {
	name, interval, count := c.arg(0), c.flags.Duration("interval"), c.int("count")
	if c.set("interval") && interval <= 0 || c.set("count") && count < 1 {
		return usagef("--interval and --count want more than 0")
	}
	if c.set("count") && interval == 0 {
		return usagef("--count counts intervals, so it needs --interval")
	}
	lastAt := time.Now()
	last, err := queueStatsOf(name)
	if isAny(err, os.ErrNotExist, queue.ErrNotQueue, queue.ErrName) {
		return c.statAny(name)
	}
	if err != nil {
		return c.queueAdvice(err)
	}
	if interval == 0 {
		if c.json() {
			return c.print(queueJSON(name, last))
		}
		c.showQueue(name, last)
		return nil
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := 0; count == 0 || i < count; i++ {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
		at := time.Now() // a tick comes late, or not at all, where somebody else is due
		now, err := queueStatsOf(name)
		if err != nil {
			return c.queueAdvice(err)
		}
		x := ratesBetween(name, last, now, max(at.Sub(lastAt), time.Microsecond))
		last, lastAt = now, at
		if c.json() {
			err = c.print(x)
		} else {
			if i%20 == 0 {
				fmt.Fprintln(c.out, c.paint.bold("    TIME     WAITING                        PUT/S    TAKEN/S  LEASED  USERS"))
			}
			fmt.Fprintf(c.out, "%s  %10s %s %10s %10s %7d %6d\n", x.Time.Format(time.TimeOnly), formatCount(x.Waiting),
				bar(now.Entries, x.Capacity, 16), formatRate(x.Puts), formatRate(x.Gets), x.Leased, x.Users)
			err = c.flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// statAny shows what ls knows about one object that is no queue.
func (c *call) statAny(name string) error {
	if c.set("interval") {
		return advise(fmt.Errorf("no queue %q: %w", name, os.ErrNotExist), "only queues have rates; ipcctl ls --kind queue lists them")
	}
	dir, path := dirOf(name), name
	if dir != "" {
		if abs, err := filepath.Abs(name); err == nil {
			path = abs // as survey has it
		}
	}
	objects, err := looking(c, func() ([]object, error) { return survey("", []string{dir}) })
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.Name != path || o.Kind == "queue" {
			continue
		}
		if c.json() {
			return c.print(o.forJSON())
		}
		for _, row := range [][2]string{
			{"kind", o.Kind}, {"name", o.label()}, {"owner", orDash(o.Owner)}, {"mode", orDash(o.Mode)}, {"size", orDash(o.extent())},
			{"state", c.paint.stateText(o.State) + ": " + host.Printable(o.Why)}, {"users", orDash(join(o.Users))},
		} {
			fmt.Fprintf(c.out, "%s  %s\n", c.paint.bold(fmt.Sprintf("%-8s", row[0])), row[1])
		}
		return nil
	}
	return advise(fmt.Errorf("no object %q: %w", name, os.ErrNotExist), "ipcctl ls lists what there is")
}
