package command

import (
	"bufio"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v2"
)

// helpWidth is the widest line of --help: it reads well on the narrowest of
// usual terminals.
const helpWidth = 80

// writeHelp writes the help of a verb, a group, or the whole command.
func writeHelp(w *bufio.Writer, n *node, name string, p palette) {
	fmt.Fprintf(w, "%s - %s\n", p.bold(name), n.usage)
	fmt.Fprintf(w, "\n%s\n  %s\n", p.bold("Usage"), n.synopsis(name))
	if n.about != "" {
		for _, paragraph := range strings.Split(n.about, "\n\n") {
			w.WriteByte('\n')
			for _, line := range wrap(paragraph, helpWidth) {
				w.WriteString(line + "\n")
			}
		}
	}
	if n.children != nil {
		fmt.Fprintf(w, "\n%s\n", p.bold("Verbs"))
		columnsOf(w, n.childLines())
	}
	if len(n.flags) > 0 {
		fmt.Fprintf(w, "\n%s\n", p.bold("Flags"))
		columnsOf(w, n.flagLines())
	}
	if len(n.examples) > 0 {
		fmt.Fprintf(w, "\n%s\n", p.bold("Examples"))
		for _, e := range n.examples {
			fmt.Fprintf(w, "  %s\n      %s\n", p.cyan(e.line), e.what)
		}
	}
	if n.children != nil {
		fmt.Fprintf(w, "\n%q explains a verb.\n", name+" VERB --help")
	}
}

func (n *node) synopsis(name string) string {
	if n.children != nil {
		return name + " VERB …"
	}
	s := name
	if n.args != "" {
		s += " " + n.args
	}
	if len(n.flags) > 0 {
		s += " [flags]"
	}
	return s
}

func (n *node) childLines() [][2]string {
	var out [][2]string
	for _, c := range n.children {
		if c.hidden {
			continue
		}
		text := c.usage
		if c.children != nil {
			text += ": " + strings.Join(c.names(), ", ")
		}
		out = append(out, [2]string{c.name, text})
	}
	return out
}

// flagLines returns for every flag what to type and what it does.
func (n *node) flagLines() [][2]string {
	var out [][2]string
	for _, f := range n.flags {
		d, ok := f.(cli.DocGenerationFlag)
		if v, is := f.(cli.VisibleFlag); !ok || is && !v.IsVisible() {
			continue
		}
		usage, value := placeholder(f, d.GetUsage())
		var typed []string
		for _, name := range f.Names() {
			dash := "--"
			if len(name) == 1 {
				dash = "-"
			}
			typed = append(typed, dash+name)
		}
		head := strings.Join(typed, ", ")
		if d.TakesValue() {
			head += " " + value
		}
		if value := defaultOf(f, d); value != "" {
			usage += " (default: " + value + ")"
		}
		out = append(out, [2]string{head, usage})
	}
	return out
}

// placeholder returns the usage of a flag and the name of its value: what
// stands in backquotes in the usage, or the value's type. A choice of words
// (a|b) is not repeated in the usage.
func placeholder(f cli.Flag, usage string) (text, value string) {
	if before, rest, ok := strings.Cut(usage, "`"); ok {
		if value, after, ok := strings.Cut(rest, "`"); ok {
			if strings.Contains(value, "|") {
				return before + after, value
			}
			return before + value + after, value
		}
	}
	switch f.(type) {
	case *cli.GenericFlag:
		return usage, "SIZE"
	case *cli.DurationFlag:
		return usage, "D"
	case *cli.IntFlag, *cli.Int64Flag, *cli.UintFlag:
		return usage, "N"
	}
	return usage, "TEXT"
}

func defaultOf(f cli.Flag, d cli.DocGenerationFlag) string {
	if !d.TakesValue() {
		return ""
	}
	text := strings.Trim(d.GetDefaultText(), `"`)
	if g, ok := f.(*cli.GenericFlag); ok {
		text = g.Value.String()
	}
	if text == "0" || text == "0s" {
		return ""
	}
	return text
}

// columnsOf writes pairs in two columns, the second one wrapped.
func columnsOf(w *bufio.Writer, lines [][2]string) {
	left := 0
	for _, l := range lines {
		left = max(left, utf8.RuneCountInString(l[0]))
	}
	left = min(left, 26)
	indent := strings.Repeat(" ", left+4)
	for _, l := range lines {
		n := utf8.RuneCountInString(l[0])
		if n > left {
			fmt.Fprintf(w, "  %s\n%s", l[0], indent)
		} else {
			fmt.Fprintf(w, "  %s%s  ", l[0], strings.Repeat(" ", left-n))
		}
		for i, line := range wrap(l[1], helpWidth-left-4) {
			if i > 0 {
				w.WriteString(indent)
			}
			w.WriteString(line + "\n")
		}
	}
}

// wrap breaks text into lines of at most n columns.
func wrap(words string, n int) []string {
	lines := strings.Split(text.WrapSoft(strings.Join(strings.Fields(words), " "), n), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}
