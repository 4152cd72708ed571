package command

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// picture is a diagram of curves, both axes logarithmic. With percentiles, x
// counts nines instead: 1 is 90 %, 2 is 99 %.
type picture struct {
	title, x, y string
	series      []series
	percentiles bool
}

type series struct {
	name string
	x, y []float64
}

// colours are told apart by people who see no red or green, too (Okabe, Ito).
var colours = []string{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"}

// plot draws a picture as SVG.
func plot(p picture) string {
	const (
		width, height            = 800.0, 480.0
		left, right, top, bottom = 90.0, 170.0, 60.0, 60.0
	)
	scale := math.Log10
	scaleX := scale
	if p.percentiles {
		scaleX = func(x float64) float64 { return x }
	}
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range p.series {
		for i := range s.x {
			x0, x1 = min(x0, scaleX(s.x[i])), max(x1, scaleX(s.x[i]))
			y0, y1 = min(y0, scale(s.y[i])), max(y1, scale(s.y[i]))
		}
	}
	if math.IsInf(x0, 0) {
		x0, x1, y0, y1 = 0, 1, 0, 1
	}
	if x1-x0 < 0.1 {
		x0, x1 = x0-0.5, x1+0.5
	}
	y0, y1 = math.Floor(y0), math.Ceil(y1)
	if y1 == y0 {
		y1++
	}
	atX := func(v float64) float64 { return left + (v-x0)/(x1-x0)*(width-left-right) }
	atY := func(v float64) float64 { return height - bottom - (v-y0)/(y1-y0)*(height-top-bottom) }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
	}
	fmt.Fprintf(&b, `<text x="%g" y="28" font-size="17" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(p.title))
	fmt.Fprintf(&b, `<text x="%g" y="44" font-size="11" fill="#666">%s</text>`+"\n", left, html.EscapeString(machine()))
	for _, v := range decades(y0, y1) {
		fmt.Fprintf(&b, `<path d="M%.1f %.1fH%.1f" stroke="#ddd"/>`+"\n", left, atY(v), width-right)
		label := formatRate(math.Round(math.Pow(10, v)))
		if p.percentiles {
			label = formatShort(durationOf(math.Pow(10, v)))
		}
		text(left-8, atY(v)+4, "end", label)
	}
	for _, tick := range p.ticks(x0, x1) {
		fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1f" stroke="#ddd"/>`+"\n", atX(tick.at), top, height-bottom)
		text(atX(tick.at), height-bottom+20, "middle", tick.label)
	}
	text((left+width-right)/2, height-16, "middle", p.x)
	fmt.Fprintf(&b, `<text transform="translate(22 %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+height-bottom)/2, html.EscapeString(p.y))
	for k, s := range p.series {
		colour := colours[k%len(colours)]
		points := make([]string, len(s.x))
		for i := range s.x {
			points[i] = fmt.Sprintf("%.1f,%.1f", atX(scaleX(s.x[i])), atY(scale(s.y[i])))
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), colour)
		if !p.percentiles {
			for _, pt := range points {
				x, y, _ := strings.Cut(pt, ",")
				fmt.Fprintf(&b, `<circle cx="%s" cy="%s" r="3.5" fill="%s"/>`+"\n", x, y, colour)
			}
		}
		y := top + 10 + 22*float64(k)
		fmt.Fprintf(&b, `<path d="M%.1f %.1fh22" stroke="%s" stroke-width="3"/>`+"\n", width-right+14, y, colour)
		text(width-right+42, y+4, "start", s.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// decades marks powers of ten, and where there are few of them, 2 and 5 times
// each.
func decades(y0, y1 float64) (out []float64) {
	for v := y0; v <= y1; v++ {
		out = append(out, v)
		if y1-y0 <= 2 && v < y1 {
			out = append(out, v+math.Log10(2), v+math.Log10(5))
		}
	}
	return out
}

type tick struct {
	at    float64
	label string
}

// ticks marks nines, or sizes by factors of four.
func (p *picture) ticks(x0, x1 float64) (out []tick) {
	if p.percentiles {
		for i, label := range []string{"0 %", "90 %", "99 %", "99.9 %", "99.99 %"} {
			if f := float64(i); f >= x0 && f <= x1 {
				out = append(out, tick{f, label})
			}
		}
		return out
	}
	for n := int64(1); n <= 1<<30; n *= 4 {
		if at := math.Log10(float64(n)); at >= x0-1e-9 && at <= x1+1e-9 {
			out = append(out, tick{at, formatSize(n)})
		}
	}
	return out
}
