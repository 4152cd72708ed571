package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// print writes v as one line of JSON and sends it on.
func (c *call) print(v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	c.out.Write(escapeControls(line.Bytes()))
	return c.flush()
}

// escapeControls escapes the control characters that JSON may hold as they are and
// that terminals obey: DEL, and those from U+0080 to U+009F.
func escapeControls(line []byte) []byte {
	control := func(r rune) bool { return 0x7f <= r && r <= 0x9f }
	if !bytes.ContainsFunc(line, control) {
		return line
	}
	var out []byte
	for _, r := range string(line) {
		if control(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
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

// room returns how wide a column of text may be that has that many columns where
// the screen has 80: more on a wide terminal, up to what is still read easily.
func (c *call) room(at80 int) int {
	return at80 + max(0, min(c.width, 120)-80)
}
