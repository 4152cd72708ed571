package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// plotted reports whether the table is worth a picture.
func (t Table) plotted() bool {
	if t.Work == Idle || t.Work == Objects || t.Series != "" {
		return false // they are not the same thing, or drawn together
	}
	n := 0
	for _, m := range t.Mechs {
		if len(t.outcome(m).Results) > 0 {
			n++
		}
	}
	return n >= 3
}

func (t Table) plotName() string { return strings.ReplaceAll(t.Key(), "/", "-") + ".svg" }

func seriesPlotName(columns []Table) string {
	return fmt.Sprintf("scale-%s-%d.svg", columns[0].Series, columns[0].Size)
}

// plots draws every table that is worth it, and removes the pictures of the
// last run.
func (r *Report) plots(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for i := 0; i < len(r.Tables); { // ends: every table has a column at least
		columns := r.series(i)
		t := r.Tables[i]
		i += len(columns)
		var name, text string
		switch {
		case len(columns) > 1:
			name, text = seriesPlotName(columns), drawSeries(columns)
		case t.plotted():
			name, text = t.plotName(), t.draw()
		default:
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// A canvas is a picture under way. Colours and fonts are those of any browser,
// on a ground of its own, so that it can be read in a dark page too.
type canvas struct {
	strings.Builder
	width, height float64
}

func newCanvas(title string, width, height float64) *canvas {
	c := &canvas{width: width, height: height}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" font-family="Helvetica, Arial, 'Liberation Sans', sans-serif" font-size="13">`+"\n", width, height, width, height)
	fmt.Fprintf(c, `<rect width="%g" height="%g" fill="#ffffff"/>`+"\n", width, height)
	c.text(16, 26, title, `font-size="16" font-weight="bold" fill="#222222"`)
	return c
}

func (c *canvas) text(x, y float64, text, how string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, how, html.EscapeString(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64, color string, width float64) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"/>`+"\n", x1, y1, x2, y2, color, width)
}

func (c *canvas) dot(x, y float64, color string) {
	fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="4.5" fill="%s"/>`+"\n", x, y, color)
}

func (c *canvas) end() string {
	c.WriteString("</svg>\n")
	return c.String()
}

var kindColors = map[Kind]string{Ours: "#c8321e", Peer: "#2b6cb0", Floor: "#8a8a8a"}

// A logAxis maps values to positions, by powers of ten from low to high.
type logAxis struct{ low, high, from, to float64 }

func newLogAxis(least, most, from, to float64) logAxis {
	low, high := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	if low == high {
		high++
	}
	return logAxis{low, high, from, to}
}

func (a logAxis) at(v float64) float64 {
	return a.from + (math.Log10(v)-a.low)/(a.high-a.low)*(a.to-a.from)
}

// ticks are the powers of ten.
func (a logAxis) ticks() []float64 {
	var all []float64
	for e := a.low; e <= a.high; e++ {
		all = append(all, math.Pow(10, e))
	}
	return all
}

// draw draws a line for each mechanism, the fastest first: its median as a dot
// between its least and its greatest, on a logarithmic scale.
func (t Table) draw() string {
	type row struct {
		label string
		kind  Kind
		Spread
	}
	var rows []row
	least, most := math.Inf(1), 0.0
	for _, m := range t.Mechs {
		s := t.outcome(m).spreadOf(t.figure)
		if s.N == 0 || s.Min <= 0 {
			continue
		}
		rows = append(rows, row{mechanisms[m].label, mechanisms[m].kind, s})
		least, most = min(least, s.Min), max(most, s.Max)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(t.slower(a.Median, b.Median), 1) })
	const left, right, top, step = 370.0, 800.0, 66.0, 24.0
	bottom := top + step*float64(len(rows))
	c := newCanvas(t.Title(), 900, bottom+46)
	x := newLogAxis(least, most, left, right)
	for _, v := range x.ticks() {
		c.line(x.at(v), top-8, x.at(v), bottom, "#dddddd", 1)
		c.text(x.at(v), bottom+18, tickText(t.text(), v), `text-anchor="middle" fill="#555555"`)
	}
	c.text((left+right)/2, bottom+38, t.axisTitle(), `text-anchor="middle" fill="#222222"`)
	for i, r := range rows {
		y, color := top+step*(float64(i)+0.5), kindColors[r.kind]
		weight := "normal"
		if r.kind == Ours {
			weight = "bold"
		}
		c.text(left-14, y+4, r.label, fmt.Sprintf(`text-anchor="end" font-weight="%s" fill="%s"`, weight, color))
		c.line(x.at(r.Min), y, x.at(r.Max), y, color, 2)
		c.dot(x.at(r.Median), y, color)
		c.text(right+12, y+4, t.text()(r.Median), `fill="#222222"`)
	}
	legend := 16.0
	for _, k := range []Kind{Ours, Peer, Floor} {
		c.dot(legend+4, 44, kindColors[k])
		c.text(legend+14, 48, k.String(), `fill="#222222"`)
		legend += 70
	}
	return c.end()
}

func (t Table) axisTitle() string {
	switch {
	case t.Rates():
		return "a second, more is better"
	case t.Here():
		return "median, less is better"
	}
	return "p50, less is better"
}

// tickText is a power of ten without its digits after the point.
func tickText(text func(float64) string, v float64) string {
	s := text(v)
	number, unit, _ := strings.Cut(s, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return number + " " + unit
}

// drawSeries draws a curve for each mechanism over how many there are.
func drawSeries(columns []Table) string {
	first := columns[0]
	const left, right, top, bottom = 90.0, 560.0, 60.0, 360.0
	least, most := math.Inf(1), 0.0
	for _, t := range columns {
		for _, m := range t.Mechs {
			if s := t.outcome(m).spreadOf(t.figure); s.N > 0 {
				least, most = min(least, s.Min), max(most, s.Max)
			}
		}
	}
	c := newCanvas(first.SeriesTitle(), 900, bottom+58)
	if most == 0 {
		return c.end()
	}
	y := newLogAxis(least, most, bottom, top)
	for _, v := range y.ticks() {
		c.line(left, y.at(v), right, y.at(v), "#dddddd", 1)
		c.text(left-8, y.at(v)+4, tickText(first.text(), v), `text-anchor="end" fill="#555555"`)
	}
	span := math.Log10(float64(columns[len(columns)-1].column())) - math.Log10(float64(first.column()))
	at := func(t Table) float64 {
		return left + 16 + (right-left-32)*(math.Log10(float64(t.column()))-math.Log10(float64(first.column())))/span
	}
	for _, t := range columns {
		c.text(at(t), bottom+20, fmt.Sprint(t.column()), `text-anchor="middle" fill="#555555"`)
	}
	c.text((left+right)/2, bottom+42, first.Series+"; "+first.axisTitle(), `text-anchor="middle" fill="#222222"`)
	colors := []string{"#c8321e", "#e08a1e", "#2b6cb0", "#5aa469", "#7a4fa3", "#8a8a8a"}
	for i, m := range seriesMechs(columns) {
		color := colors[i%len(colors)]
		var lastX, lastY float64
		for _, t := range columns {
			s := t.outcome(m).spreadOf(t.figure)
			if s.N == 0 {
				continue
			}
			px, py := at(t), y.at(s.Median)
			if lastX != 0 {
				c.line(lastX, lastY, px, py, color, 2)
			}
			c.line(px, y.at(s.Min), px, y.at(s.Max), color, 2)
			c.dot(px, py, color)
			lastX, lastY = px, py
		}
		c.dot(right+28, top+14+26*float64(i), color)
		c.text(right+40, top+18+26*float64(i), mechanisms[m].label, fmt.Sprintf(`fill="%s"`, color))
	}
	return c.end()
}
