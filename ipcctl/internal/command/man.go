package command

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

func manVerb() *node {
	return &node{
		name:    "man",
		instant: true,
		usage:   "print the manual page of the command or of a verb",
		args:    "[VERB...]",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Usage: "write the pages of all verbs into `FOLDER`"},
		},
		examples: []example{
			{"ipcctl man queue put | man -l -", "read one page"},
			{"ipcctl man --dir ~/.local/share/man/man1", "install them all"},
		},
		run: func(c *call) error {
			n, name := tree(), []string{"ipcctl"}
			if dir := c.str("dir"); dir != "" {
				if len(c.args()) > 0 {
					return usagef("--dir writes the pages of all verbs, so it takes no verb")
				}
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
				return writePages(dir, n, name)
			}
			for _, word := range c.args() {
				next := n.child(word)
				if next == nil {
					return usagef("no verb %q%s", word, didYouMean(word, n.names(), "%q"))
				}
				n, name = next, append(name, word)
			}
			manPage(c.out, n, name)
			return nil
		},
	}
}

// writePages writes a page for n and everything below it.
func writePages(dir string, n *node, name []string) error {
	if n.hidden {
		return nil
	}
	var page strings.Builder
	manPage(&page, n, name)
	if err := os.WriteFile(filepath.Join(dir, strings.Join(name, "-")+".1"), []byte(page.String()), 0o644); err != nil {
		return err
	}
	for _, c := range n.children {
		if err := writePages(dir, c, append(name[:len(name):len(name)], c.name)); err != nil {
			return err
		}
	}
	return nil
}

// manPage writes n as man(7).
func manPage(w io.Writer, n *node, name []string) {
	full := strings.Join(name, " ")
	fmt.Fprintf(w, ".TH %s 1\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(strings.Join(name, "-"))), roff(strings.Join(name, "-")), roff(n.usage))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n", roff(n.synopsis(full)))
	if n.about != "" {
		fmt.Fprintf(w, ".SH DESCRIPTION\n%s\n", strings.ReplaceAll(roff(n.about), "\n\n", "\n.PP\n"))
	}
	if n.children != nil {
		fmt.Fprint(w, ".SH VERBS\n")
		for _, l := range n.childLines() {
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(l[0]), roff(l[1]))
		}
	}
	if len(n.flags) > 0 {
		fmt.Fprint(w, ".SH OPTIONS\n")
		for _, l := range n.flagLines() {
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(l[0]), roff(l[1]))
		}
	}
	if n.run != nil {
		fmt.Fprint(w, ".SH EXIT STATUS\n0 done, 1 failed, 2 usage, 3 no such object, 4 denied, 5 timed out (or empty or full, with \\-\\-timeout 0).\n")
	}
	if len(n.examples) > 0 {
		fmt.Fprint(w, ".SH EXAMPLES\n")
		for _, e := range n.examples {
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(e.line), roff(e.what))
		}
	}
	if len(name) > 1 {
		fmt.Fprintf(w, ".SH SEE ALSO\n.BR %s (1)\n", roff(strings.Join(name[:len(name)-1], "-")))
	}
}

// roff quotes text for troff: backslashes, dashes, and dots or quotes that
// begin a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	var ascii strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			ascii.WriteRune(r)
		} else {
			fmt.Fprintf(&ascii, `\[u%04X]`, r)
		}
	}
	lines := strings.Split(ascii.String(), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
