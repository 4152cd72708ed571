package command

import (
	"fmt"
	"time"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
	"github.com/ipcctl/ipc/queue"
	"github.com/urfave/cli/v2"
)

func queueStatVerb() *node {
	return &node{
		name:  "stat",
		usage: "show the numbers of a queue",
		args:  "NAME",
		about: "Counts are since it was created, of all processes together. Looking disturbs nobody.",
		flags: []cli.Flag{jsonFlag},
		examples: []example{
			{"ipcctl queue stat jobs", "for a reader"},
			{"ipcctl queue stat jobs --json | jq .len", "how many messages wait"},
		},
		run: func(c *call) error {
			q, err := queue.OpenReader(c.arg(0))
			if err != nil {
				return c.queueAdvice(err)
			}
			defer q.Close()
			s, err := q.Stats()
			if err != nil {
				return c.queueAdvice(err)
			}
			if c.json() {
				return c.print(queueJSON(c.arg(0), s))
			}
			c.showQueue(c.arg(0), s)
			return nil
		},
	}
}

// queueStats are the numbers of a queue in --json output.
type queueStats struct {
	Name string `json:"name"`
	queue.Stats
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
}

func queueJSON(name string, s queue.Stats) queueStats {
	if s.Holders == nil {
		s.Holders = []queue.Holder{}
	}
	return queueStats{name, s, quantile(s, 50), quantile(s, 99)}
}

// quantile estimates from the counts by powers of two how long so many percent
// of the sampled messages waited at most.
func quantile(s queue.Stats, percent uint64) time.Duration {
	need, sum := (s.Sampled*percent+99)/100, uint64(0)
	for i, n := range s.TimeInQueue {
		if sum += n; need > 0 && sum >= need {
			return time.Duration(1) << i
		}
	}
	return 0
}

func (c *call) showQueue(name string, s queue.Stats) {
	row := func(label, format string, args ...any) {
		fmt.Fprintf(c.out, "%s  %s\n", c.paint.bold(fmt.Sprintf("%-12s", label)), fmt.Sprintf(format, args...))
	}
	state := "open"
	if s.ClosedWrite {
		state = "closed for writing"
	}
	row("queue", "%s, %s", name, state)
	row("waiting", "%s of %s  %s", formatCount(s.Len), formatCount(s.Capacity), bar(s.Entries, s.Capacity, 30))
	row("high water", "%s", formatCount(s.HighWater))
	row("on lease", "%s", formatCount(s.Leased))
	row("put", "%s", formatCount(s.Puts))
	row("taken", "%s", formatCount(s.Gets))
	row("redelivered", "%s", formatCount(s.Requeued))
	row("set aside", "%s", formatCount(s.Dead))
	lost := formatCount(s.Lost)
	if s.LostAtMost > 0 {
		lost += fmt.Sprintf(", and at most %s more", formatCount(s.LostAtMost))
	}
	row("lost", "%s", lost)
	if s.Sampled > 0 {
		row("time in it", "half under %v, 99%% under %v", quantile(s, 50).Round(time.Microsecond), quantile(s, 99).Round(time.Microsecond))
	}
	row("message", "up to %s", formatSize(int64(s.MaxMessage)))
	row("memory", "%s", formatSize(s.Bytes))
	row("created", "%s", s.Created.Format(time.DateTime))
	asleep, told := waitersOf(name, s.Holders), map[string]bool{}
	for _, h := range s.Holders {
		what := "attached"
		if does := asleep.does(h.PID); does != "" {
			what += ", " + does
		}
		if h.Lease {
			what = "has a message on lease since " + h.Since.Format(time.TimeOnly)
		}
		if !h.Alive {
			what = c.paint.yellow("is dead; the next to come cleans up after it")
		}
		// A process may hold several lanes: it is told once what each of them is for.
		if line := holderName(name, h) + " " + what; !told[line] {
			told[line] = true
			row("process", "%s", line)
		}
	}
}

// holderName names a holder of a queue, which gave the pid of its own pid namespace: here
// that may be another process's, as the pid of a dead one may be.
func holderName(name string, h queue.Holder) string {
	if !h.Alive {
		return fmt.Sprint(h.PID)
	}
	if id, err := host.ID(queueFile(name)); err == nil {
		if has, err := host.Maps(h.PID, id); err == nil && !has {
			return fmt.Sprintf("%d (of another pid namespace)", h.PID)
		}
	}
	return host.Name(h.PID)
}

// bar draws how full something is.
func bar(n, of, width int) string {
	if of <= 0 {
		return ""
	}
	full := min(max(n, 0)*width/of, width)
	if n > 0 && full == 0 {
		full = 1
	}
	out := make([]rune, width)
	for i := range out {
		out[i] = '░'
		if i < full {
			out[i] = '█'
		}
	}
	return string(out)
}
