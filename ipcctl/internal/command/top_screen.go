package command

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// screen is what top shows, and how: all of it is computed from this, and a
// test can look at it line by line.
type screen struct {
	all      []looked
	paint    palette
	sortBy   int    // an index of sortings
	filter   string // of names
	typing   bool   // the filter is being typed
	paused   bool
	selected string // kind and name of the chosen object
	open     bool   // only the chosen object is shown
	at       time.Time
}

// sortings are the orders that s goes through; within them, by name.
var sortings = []struct {
	name string
	less func(a, b *looked) int
}{
	{"kind", func(a, b *looked) int { return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind) }},
	{"rate", func(a, b *looked) int { return cmp.Compare(b.rate(), a.rate()) }},
	{"waiting", func(a, b *looked) int { return b.stats.Len - a.stats.Len }},
	{"size", func(a, b *looked) int { return cmp.Compare(b.Size, a.Size) }},
	{"users", func(a, b *looked) int { return len(b.Users) - len(a.Users) }},
}

func (l *looked) rate() float64 {
	if l.Rates == nil {
		return 0
	}
	return l.Rates.Puts + l.Rates.Gets
}

func (l *looked) id() string { return l.Kind + " " + l.Name }

// rows returns the objects that are shown, in order.
func (s *screen) rows() []looked {
	var out []looked
	for _, l := range s.all {
		if strings.Contains(l.Name, s.filter) {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b looked) int {
		return cmp.Or(sortings[s.sortBy].less(&a, &b), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// nameWidth fits a line into 80 columns.
const nameWidth = 21

// wideEnough is where a line has room for redeliveries, latency and who is
// attached.
const wideEnough = 110

// table returns the header and a line for each object, at most height lines.
func (s *screen) table(width, height int) []string {
	head := fmt.Sprintf("%-8s %-*s %-6s %5s %8s %10s %7s %7s", "KIND", nameWidth, "NAME", "STATE", "USERS", "SIZE", "WAITING", "PUT/S", "TAKEN/S")
	if width >= wideEnough {
		head += fmt.Sprintf(" %7s %7s  %s", "AGAIN/S", "P99", "ATTACHED")
	}
	out := []string{s.paint.bold(head)}
	rows := s.rows()
	chosen := slices.IndexFunc(rows, func(l looked) bool { return l.id() == s.selected })
	from := 0
	if height > 0 && chosen > height-2 {
		from = chosen - (height - 2) // the chosen line stays in sight
	}
	for i, l := range rows[from:] {
		if height > 0 && len(out) >= height {
			break
		}
		waiting, puts, gets := "", "", ""
		if l.Rates != nil {
			waiting = fmt.Sprintf("%s %s", formatCount(l.stats.Len), bar(l.stats.Entries, l.stats.Capacity, 4))
			puts, gets = formatRate(l.Rates.Puts), formatRate(l.Rates.Gets)
		}
		name := cutFront(l.label(), nameWidth)
		state := fmt.Sprintf("%-6s", l.State)
		if paint := s.paint.state(l.State); paint != nil {
			state = paint(state)
		}
		line := fmt.Sprintf("%-8s %s%s %s %5d %8s %s%s %7s %7s", l.Kind, name, strings.Repeat(" ", nameWidth-utf8.RuneCountInString(name)), state,
			len(l.Users), l.extent(), strings.Repeat(" ", max(0, 10-utf8.RuneCountInString(waiting))), waiting, puts, gets)
		if width >= wideEnough {
			line += l.wide(width - utf8.RuneCountInString(head) + len("ATTACHED"))
		}
		line = strings.TrimRight(line, " ")
		if from+i == chosen {
			line = s.paint.in("7", strings.NewReplacer("\x1b[32m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(line))
		}
		out = append(out, line)
	}
	return out
}

// wide returns what a wide screen shows beyond the usual columns, with room for
// the names of users.
func (l *looked) wide(room int) string {
	again, p99 := "", ""
	if l.Rates != nil {
		again = formatRate(l.Rates.Requeued)
		if l.stats.Sampled > 0 {
			p99 = formatShort(quantile(l.stats, 99))
		}
	}
	return fmt.Sprintf(" %7s %7s  %s", again, p99, cut(join(l.Users), room))
}

// cutFront shortens a path at its beginning: its end tells more.
func cutFront(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return "…" + string(r[len(r)-n+1:])
	}
	return text
}

// lines returns the whole screen.
func (s *screen) lines(width, height int) []string {
	count := map[string]int{}
	for _, l := range s.all {
		count[l.Kind]++
	}
	var parts []string
	for _, k := range kinds {
		if n := count[k]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, k))
		}
	}
	title := s.paint.bold("ipcctl top") + "  " + s.at.Format(time.TimeOnly) + "  " + orDash(strings.Join(parts, ", "))
	if s.paused {
		title += s.paint.yellow("  paused")
	}
	foot := "q quit  ↑↓ choose  Enter show  s sort (" + sortings[s.sortBy].name + ")  / filter  p pause"
	switch {
	case s.typing:
		foot = "filter: " + s.filter + "_"
	case s.filter != "":
		foot = "filter: " + s.filter + "  (/ Esc clears)  " + foot
	}
	out := []string{title, ""}
	if body := max(height-4, 1); s.open {
		detail := s.detail(width)
		out = append(out, detail[:min(len(detail), body)]...)
		foot = "Enter back  p pause  q quit"
	} else {
		out = append(out, s.table(width, body)...)
	}
	for len(out) < height-1 {
		out = append(out, "")
	}
	return append(out[:height-1], s.paint.dim(cut(foot, width)))
}

// detail shows the chosen object.
func (s *screen) detail(width int) []string {
	i := slices.IndexFunc(s.all, func(l looked) bool { return l.id() == s.selected })
	if i < 0 {
		return []string{"it has gone"}
	}
	l := s.all[i]
	row := func(label, text string) string { return s.paint.bold(fmt.Sprintf("%-12s", label)) + "  " + text }
	out := []string{row(l.Kind, l.label()), row("owner", orDash(l.Owner)+"  "+orDash(l.Mode)), row("state", s.paint.stateText(l.State)+": "+cut(l.Why, width-24))}
	if l.Rates != nil {
		x := l.stats
		out = append(out,
			row("waiting", fmt.Sprintf("%s of %s  %s", formatCount(x.Len), formatCount(x.Capacity), bar(x.Entries, x.Capacity, 30))),
			row("rates", fmt.Sprintf("%s put/s, %s taken/s", formatRate(l.Rates.Puts), formatRate(l.Rates.Gets))),
			row("counts", fmt.Sprintf("%s put, %s taken, %s lost", formatCount(x.Puts), formatCount(x.Gets), formatCount(x.Lost))),
			row("redelivered", fmt.Sprintf("%s, %s set aside, %s on lease", formatCount(x.Requeued), formatCount(x.Dead), formatCount(x.Leased))))
		if x.Sampled > 0 {
			out = append(out, row("time in it", fmt.Sprintf("half under %s, 99%% under %s", formatShort(quantile(x, 50)), formatShort(quantile(x, 99)))))
		}
	} else {
		out = append(out, row("size", orDash(l.extent())))
	}
	out = append(out, "", s.paint.bold("users"))
	for _, u := range l.Users {
		out = append(out, "  "+u.String())
	}
	return out
}

// key does what a key means; false ends top.
func (s *screen) key(k string) bool {
	if s.typing {
		switch {
		case k == "\r" || k == "\n":
			s.typing = false
		case k == "\x1b":
			s.typing, s.filter = false, ""
		case k == "\x7f" || k == "\b":
			if r := []rune(s.filter); len(r) > 0 {
				s.filter = string(r[:len(r)-1])
			}
		case k >= " " && k[0] != '\x1b':
			s.filter += k
		}
		return true
	}
	rows := s.rows()
	i := slices.IndexFunc(rows, func(l looked) bool { return l.id() == s.selected })
	switch k {
	case "q", "\x03", "\x04":
		return false
	case "s":
		s.sortBy = (s.sortBy + 1) % len(sortings)
	case "p":
		s.paused = !s.paused
	case "/":
		s.typing, s.open = true, false
	case "\x1b":
		s.filter, s.open = "", false
	case "\r", "\n":
		s.open = !s.open && i >= 0
	case "\x1b[A", "k", "\x1b[B", "j":
		if len(rows) == 0 {
			break
		}
		if k == "\x1b[A" || k == "k" {
			i = max(i-1, 0)
		} else {
			i = min(i+1, len(rows)-1)
		}
		s.selected = rows[i].id()
	}
	return true
}

// topScreen runs top on a terminal, which it leaves as it found it.
func topScreen(c *call, ob *observer, in *os.File, interval time.Duration, count int) error {
	restore, err := rawMode(in)
	if err != nil {
		return err
	}
	defer restore()
	// Another screen, without a cursor and without wrapping long lines; and back.
	io.WriteString(c.out, "\x1b[?1049h\x1b[?25l\x1b[?7l")
	defer func() {
		io.WriteString(c.out, "\x1b[?7h\x1b[?25h\x1b[?1049l")
		c.flush()
	}()
	keys := make(chan string)
	go readKeys(in, keys, c.ctx.Done())
	s := &screen{paint: c.paint}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n := 0; ; {
		if !s.paused {
			all, err := ob.look()
			if err != nil {
				return err
			}
			s.all, s.at = all, time.Now()
			if n++; count > 0 && n > count {
				return nil
			}
		}
		if err := s.draw(c); err != nil {
			return err
		}
		for due := false; !due; {
			select {
			case <-c.ctx.Done():
				return c.ctx.Err()
			case k, ok := <-keys:
				if !ok || !s.key(k) {
					return nil
				}
				if err := s.draw(c); err != nil {
					return err
				}
			case <-tick.C:
				due = true
			}
		}
	}
}

// draw writes the screen in one piece, line over line: nothing flickers.
func (s *screen) draw(c *call) error {
	width, height := terminalSize()
	c.out.WriteString("\x1b[H")
	for i, line := range s.lines(width, height) {
		if i > 0 {
			c.out.WriteString("\r\n")
		}
		c.out.WriteString(line + "\x1b[K")
	}
	c.out.WriteString("\x1b[J")
	return c.flush()
}

// readKeys sends keys, an escape sequence in one piece, until in ends.
func readKeys(in io.Reader, keys chan<- string, done <-chan struct{}) {
	defer close(keys)
	buf := make([]byte, 64)
	for {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) > 0; {
			k := 1
			if bytes.HasPrefix(b, []byte("\x1b[")) && len(b) > 2 {
				k = 3
			} else if _, size := utf8.DecodeRune(b); size > 1 {
				k = size
			}
			select {
			case keys <- string(b[:k]):
			case <-done:
				return
			}
			b = b[k:]
		}
	}
}
