package command

import (
	"bytes"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
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
var colours = []color.Color{
	color.RGBA{0x00, 0x72, 0xB2, 0xFF}, color.RGBA{0xD5, 0x5E, 0x00, 0xFF}, color.RGBA{0x00, 0x9E, 0x73, 0xFF},
	color.RGBA{0xCC, 0x79, 0xA7, 0xFF}, color.RGBA{0xE6, 0x9F, 0x00, 0xFF}, color.RGBA{0x56, 0xB4, 0xE9, 0xFF}, color.Black,
}

// The size of a picture in points, and of the column beside the diagram that
// names the curves.
const (
	pictureWidth, pictureHeight = 760, 440
	namesWidth                  = 130
)

// sans is a face that measures like the ones that a viewer has instead of it.
var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

// draw returns the picture as SVG.
func (p picture) draw() ([]byte, error) {
	diagram, names, err := p.diagram()
	if err != nil {
		return nil, err
	}
	svg := vgsvg.New(pictureWidth, pictureHeight)
	page := draw.Crop(draw.New(svg), 10, -10, 10, -10)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	diagram.Draw(draw.Crop(page, 0, -namesWidth, 0, 0))
	names.Draw(draw.Crop(page, page.Max.X-page.Min.X-namesWidth+14, 0, 0, -48))
	small := diagram.X.Tick.Label
	small.XAlign, small.YAlign, small.Color = text.XCenter, text.YTop, color.Gray{0x66}
	page.FillText(small, vg.Point{X: (page.Min.X + page.Max.X - namesWidth) / 2, Y: page.Max.Y - 22}, machine())
	var out bytes.Buffer
	if _, err := svg.WriteTo(&out); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// diagram returns the axes with the curves, and the names of those.
func (p picture) diagram() (*plot.Plot, plot.Legend, error) {
	d, names := plot.New(), plot.NewLegend()
	names.Top, names.Left = true, true
	names.ThumbnailWidth, names.Padding = 20, 6
	d.Title.Text, d.Title.Padding = p.title, 24 // with room for the machine below
	d.X.Label.Text, d.Y.Label.Text = p.x, p.y
	for _, style := range []*text.Style{
		&d.Title.TextStyle, &d.X.Label.TextStyle, &d.Y.Label.TextStyle, &d.X.Tick.Label, &d.Y.Tick.Label, &names.TextStyle,
	} {
		style.Font.Typeface, style.Font.Variant = sans.Typeface, sans.Variant
	}
	d.Title.TextStyle.Font.Size = 15
	d.Title.TextStyle.XAlign = text.XCenter
	d.X.Padding, d.Y.Padding = 0, 0
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xCC}, color.Gray{0xCC}
	d.Add(grid)
	for i, s := range p.series {
		points := make(plotter.XYs, len(s.x))
		for k := range s.x {
			points[k] = plotter.XY{X: s.x[k], Y: s.y[k]}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, names, err
		}
		line.Color, line.Width = colours[i%len(colours)], 2
		dots.Color, dots.Shape, dots.Radius = line.Color, draw.CircleGlyph{}, 3
		d.Add(line)
		if !p.percentiles {
			d.Add(dots)
		}
		names.Add(s.name, line)
	}
	p.scale(d)
	return d, names, nil
}

// scale sets the ranges and marks of both axes.
func (p picture) scale(d *plot.Plot) {
	d.Y.Scale = plot.LogScale{}
	low, high := math.Floor(math.Log10(d.Y.Min)), math.Ceil(math.Log10(d.Y.Max))
	if math.IsInf(low, 0) || math.IsInf(high, 0) || math.IsNaN(low) || math.IsNaN(high) {
		low, high = 0, 1
	}
	high = max(high, low+1)
	d.Y.Min, d.Y.Max = math.Pow(10, low), math.Pow(10, high)
	label := func(v float64) string { return formatRate(v) }
	if p.percentiles {
		label = func(v float64) string { return formatShort(durationOf(v)) }
	}
	var marks plot.ConstantTicks
	for _, v := range decades(low, high) {
		marks = append(marks, plot.Tick{Value: v, Label: label(v)})
	}
	d.Y.Tick.Marker = marks

	marks = nil
	if p.percentiles {
		for i, name := range []string{"0 %", "90 %", "99 %", "99.9 %", "99.99 %"} {
			marks = append(marks, plot.Tick{Value: float64(i), Label: name})
		}
		d.X.Min, d.X.Max = 0, max(d.X.Max, 1)
	} else {
		d.X.Scale = plot.LogScale{}
		if d.X.Min < d.X.Max {
			d.X.Min, d.X.Max = d.X.Min/1.2, d.X.Max*1.2
		} else {
			d.X.Min, d.X.Max = d.X.Min/2, d.X.Max*2
		}
		for n := int64(1); n <= 1<<30; n *= 4 {
			marks = append(marks, plot.Tick{Value: float64(n), Label: formatSize(n)})
		}
	}
	d.X.Tick.Marker = marks
}

// decades marks powers of ten, and where there are few of them, 2 and 5 times
// each.
func decades(low, high float64) (out []float64) {
	for v := low; v <= high; v++ {
		power := math.Pow(10, v)
		out = append(out, power)
		if high-low <= 2 && v < high {
			out = append(out, 2*power, 5*power)
		}
	}
	return out
}
