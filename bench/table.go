package main

import (
	"fmt"
	"math"
	"path"
	"strings"
)

// writeTable writes a table of a row for each mechanism.
func writeTable(p func(string, ...any), t Table, plots bool) {
	p("### %s\n\n", t.Title())
	ref, blank := t.reference(), 2
	percentiles := !t.Here() && t.Work != Idle
	switch {
	case t.Rates():
		p("| | a second | slower |\n|---|---|---|\n")
		blank = 1
	case percentiles:
		p("| | p50 | p99 | p99.9 | slower |\n|---|---|---|---|---|\n")
		blank = 3
	case t.Work == Idle:
		p("| | memory | allocations | more |\n|---|---|---|---|\n")
	default:
		p("| | median | allocations | slower |\n|---|---|---|---|\n")
	}
	for _, m := range t.Mechs {
		label, o := mechanisms[m].label, t.outcome(m)
		if mechanisms[m].kind == Ours {
			label = "**" + label + "**"
		}
		if len(o.Results) == 0 {
			p("| %s | %s |%s\n", label, o.reason(), strings.Repeat(" |", blank))
			continue
		}
		label += o.failures()
		ratio := "-"
		if ref != "" {
			ratio = times(t.slower(t.median(m), t.median(ref)))
		}
		switch {
		case t.Rates():
			p("| %s | %s | %s |\n", label, rangeText(o.spreadOf(t.figure), rateText), ratio)
		case percentiles:
			p("| %s | %s | %s | %s | %s |\n", label, rangeText(o.spreadOf(t.figure), timeText),
				rangeText(o.spreadOf(func(r Result) float64 { return r.P99 }), timeText),
				timeText(o.spreadOf(func(r Result) float64 { return r.P999 }).Median), ratio)
		default:
			p("| %s | %s | %s | %s |\n", label, rangeText(o.spreadOf(t.figure), t.text()), allocsText(m, o), ratio)
		}
	}
	p("\n")
	if plots && t.plotted() {
		p("![%s](%s)\n\n", t.Title(), path.Join("performance", t.plotName()))
	}
}

// allocsText is empty for programs in other languages.
func allocsText(mech string, o *Outcome) string {
	if mechanisms[mech].program != nil {
		return "-"
	}
	return allocs(o.spreadOf(func(r Result) float64 { return r.Allocs }).Median)
}

// failures is a remark where some repetitions failed.
func (o *Outcome) failures() string {
	if len(o.Failed) == 0 {
		return ""
	}
	return fmt.Sprintf(" — %d of %d repetitions failed: %s", len(o.Failed), len(o.Failed)+len(o.Results), o.reason())
}

// writeObjects writes the table of what the steps of an object's life take.
func writeObjects(p func(string, ...any), t Table) {
	p("### %s\n\n| | make | open | close | remove | together | allocations |\n|---|---|---|---|---|---|---|\n", t.Title())
	for _, m := range t.Mechs {
		label, o := mechanisms[m].label, t.outcome(m)
		if mechanisms[m].kind == Ours {
			label = "**" + label + "**"
		}
		if len(o.Results) == 0 {
			p("| %s | %s | | | | | |\n", label, o.reason())
			continue
		}
		p("| %s |", label+o.failures())
		for _, step := range []func(*Steps) float64{
			func(s *Steps) float64 { return s.Create }, func(s *Steps) float64 { return s.Open },
			func(s *Steps) float64 { return s.Close }, func(s *Steps) float64 { return s.Remove },
		} {
			text := "-"
			if s := o.spreadOf(func(r Result) float64 { return step(r.Steps) }); s.Median > 0 {
				text = timeText(s.Median)
			}
			p(" %s |", text)
		}
		p(" %s | %s |\n", rangeText(o.spreadOf(t.figure), timeText), allocsText(m, o))
	}
	p("\n")
}

// series returns the tables from the one at i that are columns of one with it.
func (r *Report) series(i int) []Table {
	n := 1
	for r.Tables[i].Series != "" && i+n < len(r.Tables) && r.Tables[i+n].Series == r.Tables[i].Series {
		n++
	}
	return r.Tables[i : i+n]
}

// writeSeries writes a table with a column for each number of connections, or
// of whatever the series is about.
func writeSeries(p func(string, ...any), columns []Table, plots bool) {
	first, last := columns[0], columns[len(columns)-1]
	p("### %s\n\n|%s |", first.SeriesTitle(), map[bool]string{true: " a second", false: " p50"}[first.Rates()])
	for _, t := range columns {
		p(" %d |", t.column())
	}
	p(" slower with %d than with %d |\n|---|%s---|\n", last.column(), first.column(), strings.Repeat("---|", len(columns)))
	for _, m := range seriesMechs(columns) {
		label := mechanisms[m].label
		if mechanisms[m].kind == Ours {
			label = "**" + label + "**"
		}
		p("| %s |", label)
		for _, t := range columns {
			o := t.outcome(m)
			if len(o.Results) == 0 {
				p(" %s |", o.reason())
				continue
			}
			p(" %s%s |", rangeText(o.spreadOf(t.figure), t.text()), o.failures())
		}
		p(" %s |\n", ratioText(first.slower(last.median(m), first.median(m))))
	}
	p("\n")
	if plots && len(columns) > 1 {
		p("![%s](%s)\n\n", first.SeriesTitle(), path.Join("performance", seriesPlotName(columns)))
	}
}

// seriesMechs are the mechanisms of all columns.
func seriesMechs(columns []Table) []string {
	var all []string
	seen := map[string]bool{}
	for _, t := range columns {
		for _, m := range t.Mechs {
			if !seen[m] {
				seen[m] = true
				all = append(all, m)
			}
		}
	}
	return all
}

func ratioText(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return times(v)
}
