package main

import (
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// plotted reports whether the table is worth a picture.
func (t Table) plotted() bool {
	if t.Work == Idle || t.Work == Objects {
		return false // they are not the same thing
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

// plots draws each table: a line a mechanism, its median as a dot between its
// least and its greatest, on a logarithmic scale.
func (r *Report) plots(dir string) error {
	for _, t := range r.Tables {
		if !t.plotted() {
			continue
		}
		if err := t.plot(filepath.Join(dir, t.plotName())); err != nil {
			return err
		}
	}
	return nil
}

func (t Table) plot(path string) error {
	p := plot.New()
	p.Title.Text = t.Title()
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.X.Label.Text = "p50, microseconds (less is better)"
	unit := 1e3
	if t.Rates() {
		p.X.Label.Text, unit = "thousands a second (more is better)", 1e3
	}
	colors := map[Kind]color.Color{Ours: color.RGBA{0xd6, 0x27, 0x28, 0xff}, Peer: color.RGBA{0x1f, 0x77, 0xb4, 0xff}, Floor: color.RGBA{0x7f, 0x7f, 0x7f, 0xff}}
	var names []string
	series := map[Kind]*struct {
		plotter.XYs
		plotter.XErrors
	}{}
	for i := len(t.Mechs) - 1; i >= 0; i-- { // the first one on top
		m := t.Mechs[i]
		s := t.outcome(m).spreadOf(t.figure)
		if s.N == 0 {
			continue
		}
		k := mechanisms[m].kind
		if series[k] == nil {
			series[k] = new(struct {
				plotter.XYs
				plotter.XErrors
			})
		}
		series[k].XYs = append(series[k].XYs, plotter.XY{X: s.Median / unit, Y: float64(len(names))})
		series[k].XErrors = append(series[k].XErrors, struct{ Low, High float64 }{(s.Median - s.Min) / unit, (s.Max - s.Median) / unit})
		names = append(names, mechanisms[m].label)
	}
	for _, k := range []Kind{Ours, Peer, Floor} {
		s := series[k]
		if s == nil {
			continue
		}
		dots, err := plotter.NewScatter(s.XYs)
		if err != nil {
			return err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: colors[k], Radius: vg.Points(3.5), Shape: draw.CircleGlyph{}}
		bars, err := plotter.NewXErrorBars(s)
		if err != nil {
			return err
		}
		bars.LineStyle.Color = colors[k]
		p.Add(dots, bars)
		p.Legend.Add(k.String(), dots)
	}
	p.Add(plotter.NewGrid())
	p.NominalY(names...)
	p.Legend.Top = true
	p.Legend.XOffs = -vg.Points(4)
	return p.Save(22*vg.Centimeter, vg.Length(len(names))*0.65*vg.Centimeter+3.5*vg.Centimeter, path)
}
