package command

import (
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// gap stands between columns.
const gap = "  "

// grid is a table without lines: two spaces between columns, a bold header,
// numbers to the right. A cell may be coloured, and have several lines.
type grid struct {
	head  []string
	right []string // the columns that hold numbers
	rows  []table.Row
}

func (g *grid) add(cells ...string) {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = c
	}
	g.rows = append(g.rows, row)
}

// shorten is the column that gives way where a line has no room for the last one:
// names, the ends of which tell more than their beginnings.
const shorten = "NAME"

// reasons is a last column that goes on in further lines instead of being cut.
const reasons = "WHY"

// What is left of these columns in any case.
const (
	leastName    = 20
	leastLast    = 14
	leastReasons = 28
)

// write writes the table. If limit is not 0, no line should be wider: names are
// cut at their beginning, and then the last column at its end, or wrapped.
func (g *grid) write(w io.Writer, p palette, limit int) error {
	t := table.NewWriter()
	style := table.Style{
		Box:    table.BoxStyle{PaddingRight: gap},
		Format: table.FormatOptions{Header: text.FormatDefault, Row: text.FormatDefault},
	}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	head, columns := make(table.Row, len(g.head)), make([]table.ColumnConfig, len(g.head))
	for i, name := range g.head {
		head[i] = p.bold(name)
		columns[i] = table.ColumnConfig{Number: i + 1, Align: text.AlignLeft, AlignHeader: text.AlignLeft}
		if slices.Contains(g.right, name) {
			columns[i].Align, columns[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	if limit > 0 {
		g.fit(columns, limit)
	}
	t.SetColumnConfigs(columns)
	t.AppendHeader(head)
	t.AppendRows(g.rows)
	_, err := io.WriteString(w, t.Render()+"\n")
	return err
}

// fit makes the columns narrow enough for the limit, if they can be.
func (g *grid) fit(columns []table.ColumnConfig, limit int) {
	last, least, widths, sum := len(columns)-1, leastLast, make([]int, len(columns)), 0
	cutLast := func(cell string, width int) string { return text.Snip(cell, width, "…") }
	if g.head[last] == reasons {
		least, cutLast = leastReasons, text.WrapSoft
	}
	for i := range columns {
		widths[i] = text.StringWidthWithoutEscSequences(g.head[i])
		for _, r := range g.rows {
			widths[i] = max(widths[i], text.LongestLineLen(r[i].(string)))
		}
		sum += widths[i] + len(gap)
	}
	sum -= widths[last] + len(gap)
	if name := slices.Index(g.head, shorten); name >= 0 {
		over := max(sum+min(widths[last], least)-limit, 0)
		columns[name].WidthMax = max(widths[name]-over, min(widths[name], leastName))
		columns[name].WidthMaxEnforcer = cutFront
		sum -= widths[name] - columns[name].WidthMax
	}
	columns[last].WidthMax = max(limit-sum, 1)
	columns[last].WidthMaxEnforcer = cutLast
}

// lines joins the lines of a cell, each painted by itself.
func lines(text []string, paint func(string) string) string {
	painted := make([]string, len(text))
	for i, l := range text {
		painted[i] = paint(l)
	}
	return strings.Join(painted, "\n")
}
