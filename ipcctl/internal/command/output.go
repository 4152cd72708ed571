package command

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// print writes v as one line of JSON and sends it on.
func (c *call) print(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return c.flush()
}

// palette colours text, or leaves it alone where colour is off.
type palette bool

func (p palette) in(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p palette) bold(s string) string   { return p.in("1", s) }
func (p palette) dim(s string) string    { return p.in("2", s) }
func (p palette) red(s string) string    { return p.in("31", s) }
func (p palette) green(s string) string  { return p.in("32", s) }
func (p palette) yellow(s string) string { return p.in("33", s) }
func (p palette) cyan(s string) string   { return p.in("36", s) }

// terminal returns how to colour what goes to w, and its width in columns (0
// where it is no terminal). NO_COLOR (no-color.org) and TERM=dumb turn colour
// off.
func terminal(w io.Writer) (palette, int) {
	f, ok := w.(*os.File)
	if !ok {
		return false, 0
	}
	width := columns(f)
	if width == 0 || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false, width
	}
	return true, width
}

// table lays cells out in columns. The header is bold, a column that holds
// numbers is right-aligned, and the last one may be cut at the terminal's edge.
type table struct {
	head  []string
	right []bool
	rows  [][]cell
}

// cell is a text and how to paint it once its width is known.
type cell struct {
	text  string
	paint func(string) string
}

func plain(text string) cell { return cell{text: text} }

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer, p palette, limit int) {
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		widths[i] = utf8.RuneCountInString(h)
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i].text))
		}
	}
	head := make([]cell, len(t.head))
	for i, h := range t.head {
		head[i] = cell{h, p.bold}
	}
	for _, row := range append([][]cell{head}, t.rows...) {
		var b strings.Builder
		used := 0
		for i, c := range row {
			last := i == len(row)-1
			text := c.text
			if last && limit > 0 {
				text = cut(text, limit-used)
			}
			pad := widths[i] - utf8.RuneCountInString(text)
			if c.paint != nil {
				text = c.paint(text)
			}
			switch {
			case t.right != nil && t.right[i]:
				b.WriteString(strings.Repeat(" ", max(pad, 0)) + text)
			case last:
				b.WriteString(text)
			default:
				b.WriteString(text + strings.Repeat(" ", pad))
			}
			if !last {
				b.WriteString("  ")
			}
			used += widths[i] + 2
		}
		io.WriteString(w, strings.TrimRight(b.String(), " ")+"\n")
	}
}

// cut shortens text to n columns; the last one says that there was more.
func cut(text string, n int) string {
	if n < 1 || utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}
