package command

import (
	"io"
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

// write writes the table. If limit is not 0, the last column is cut so that no
// line is wider.
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
		for _, r := range g.right {
			if r == name {
				columns[i].Align, columns[i].AlignHeader = text.AlignRight, text.AlignRight
			}
		}
	}
	if last := len(columns) - 1; limit > 0 {
		columns[last].WidthMax = max(limit-g.before(last), 1)
		columns[last].WidthMaxEnforcer = func(cell string, width int) string { return text.Snip(cell, width, "…") }
	}
	t.SetColumnConfigs(columns)
	t.AppendHeader(head)
	t.AppendRows(g.rows)
	_, err := io.WriteString(w, t.Render()+"\n")
	return err
}

// before returns how wide the columns before one are, with the gaps.
func (g *grid) before(column int) (width int) {
	for i := range column {
		widest := text.StringWidthWithoutEscSequences(g.head[i])
		for _, r := range g.rows {
			widest = max(widest, text.LongestLineLen(r[i].(string)))
		}
		width += widest + len(gap)
	}
	return width
}

// lines joins the lines of a cell, each painted by itself.
func lines(text []string, paint func(string) string) string {
	painted := make([]string, len(text))
	for i, l := range text {
		painted[i] = paint(l)
	}
	return strings.Join(painted, "\n")
}
