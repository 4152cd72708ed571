package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ipcctl/ipc/ipcctl/internal/host"
)

// sortings are the orders that s goes through; within them, by name.
var sortings = []struct {
	name string
	less func(a, b *looked) int
}{
	{"kind", func(a, b *looked) int { return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind) }},
	{"rate", func(a, b *looked) int { return cmp.Compare(b.rate(), a.rate()) }},
	{"waiting", func(a, b *looked) int { return b.stats.Len - a.stats.Len }},
	{"asleep", func(a, b *looked) int { return b.asleep() - a.asleep() }},
	{"size", func(a, b *looked) int { return cmp.Compare(b.Size, a.Size) }},
	{"users", func(a, b *looked) int { return len(b.Users) - len(a.Users) }},
}

func (l *looked) rate() float64 {
	if l.Rates == nil {
		return 0
	}
	return l.Rates.Puts + l.Rates.Gets
}

func (l *looked) asleep() int {
	if l.Waiters == nil {
		return 0
	}
	return len(l.Waiters.Messages) + len(l.Waiters.Room)
}

func (l *looked) id() string { return l.Kind + " " + l.Name }

// shown returns those of the objects whose names hold filter, in that order.
func shown(all []looked, filter string, sortBy int) []looked {
	var out []looked
	for _, l := range all {
		if strings.Contains(l.Name, filter) {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b looked) int {
		return cmp.Or(sortings[sortBy].less(&a, &b), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// topHead names the columns of top. A wide screen has room for more.
func topHead(wide bool) []string {
	head := []string{"KIND", "NAME", "STATE", "USERS", "SIZE", "WAITING", "ASLEEP", "PUT/S", "TAKEN/S"}
	if wide {
		head = append(head, "AGAIN/S", "P99", "ATTACHED")
	}
	return head
}

// topRight are the columns that hold numbers.
var topRight = []string{"USERS", "SIZE", "WAITING", "ASLEEP", "PUT/S", "TAKEN/S", "AGAIN/S", "P99"}

// cells returns what stands in the columns.
func (l *looked) cells(wide bool) []string {
	waiting, asleep, puts, gets, again, p99 := "", "", "", "", "", ""
	if l.Rates != nil {
		waiting = fmt.Sprintf("%s %s", formatCount(l.stats.Len), bar(l.stats.Entries, l.stats.Capacity, 4))
		puts, gets, again = formatRate(l.Rates.Puts), formatRate(l.Rates.Gets), formatRate(l.Rates.Requeued)
		if l.stats.Sampled > 0 {
			p99 = formatShort(quantile(l.stats, 99))
		}
	}
	if l.Waiters != nil {
		asleep = l.Waiters.String()
	}
	out := []string{l.Kind, l.label(), l.State, fmt.Sprint(len(l.Users)), l.extent(), waiting, asleep, puts, gets}
	if wide {
		out = append(out, again, p99, join(l.Users))
	}
	return out
}

// detail describes one object, in lines.
func (l *looked) detail(paint palette) []string {
	row := func(label, text string) string { return paint.bold(fmt.Sprintf("%-12s", label)) + "  " + text }
	out := []string{
		row(l.Kind, l.label()),
		row("owner", orDash(l.Owner)+"  "+orDash(l.Mode)),
		row("state", paint.stateText(l.State)+": "+host.Printable(l.Why)),
	}
	if l.Rates != nil {
		x := l.stats
		out = append(out,
			row("waiting", fmt.Sprintf("%s of %s  %s", formatCount(x.Len), formatCount(x.Capacity), bar(x.Entries, x.Capacity, 30))),
			row("rates", fmt.Sprintf("%s put/s, %s taken/s", formatRate(l.Rates.Puts), formatRate(l.Rates.Gets))),
			row("counts", fmt.Sprintf("%s put, %s taken, %s lost", formatCount(x.Puts), formatCount(x.Gets), formatCount(x.Lost))),
			row("redelivered", fmt.Sprintf("%s, %s set aside, %s on lease", formatCount(x.Requeued), formatCount(x.Dead), formatCount(x.Leased))),
			row("sleeps", formatCount(x.Waits)+" since it was created"))
		if x.Sampled > 0 {
			out = append(out, row("time in it", fmt.Sprintf("half under %s, 99%% under %s", formatShort(quantile(x, 50)), formatShort(quantile(x, 99)))))
		}
	} else {
		out = append(out, row("size", orDash(l.extent())))
	}
	out = append(out, "", paint.bold("users"))
	if len(l.Users) == 0 {
		out = append(out, "  none that can be seen")
	}
	for _, u := range l.Users {
		line := "  " + u.String()
		if l.Waiters != nil {
			if does := l.Waiters.does(u.PID); does != "" {
				line += "  " + paint.yellow(does)
			}
		}
		out = append(out, line)
	}
	return out
}

// cutFront shortens a path at its beginning: its end tells more.
func cutFront(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return "…" + string(r[len(r)-n+1:])
	}
	return text
}
