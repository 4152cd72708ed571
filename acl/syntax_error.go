package acl

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A SyntaxError is one fault of a policy. Parse and Load return one, or
// several joined by errors.Join; [SyntaxErrors] lists them.
type SyntaxError struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // from 1
	Column int    `json:"column"` // from 1, in characters
	Msg    string `json:"message"`
	// Text is the faulty line, cut to a readable length, safe to print.
	Text string `json:"text"`
	// Caret is how many characters of Text stand before the fault.
	Caret int `json:"caret"`

	err error // what Msg tells of
}

// Error gives file:line:column, the fault, and the line with a mark below it.
func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("acl: %s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
	if e.Text == "" {
		return s
	}
	return s + "\n\t" + e.Text + "\n\t" + strings.Repeat(" ", e.Caret) + "^"
}

// Unwrap returns the cause, such as the error of opening an included file.
func (e *SyntaxError) Unwrap() error { return e.err }

// SyntaxErrors lists the faults that err, returned by Parse or Load, is made of.
func SyntaxErrors(err error) []*SyntaxError {
	var list []*SyntaxError
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			list = append(list, SyntaxErrors(e)...)
		}
		return list
	}
	var one *SyntaxError
	if errors.As(err, &one) {
		list = append(list, one)
	}
	return list
}

// syntaxError makes the error about the byte at offset of a line.
func syntaxError(file string, number int, line string, offset int, err error) *SyntaxError {
	offset = min(offset, len(line))
	e := &SyntaxError{File: file, Line: number, Msg: err.Error(), err: err}
	e.Column = utf8.RuneCountInString(line[:offset]) + 1
	e.Text, e.Caret = excerpt(line, e.Column-1)
	return e
}

// excerpt cuts a line to what fits a screen around its character number at,
// and replaces what could harm a terminal.
func excerpt(line string, at int) (text string, caret int) {
	const before, after = 60, 40
	var b strings.Builder
	first, n := max(0, at-before), 0
	if first > 0 {
		b.WriteString("…")
		caret++
	}
	for _, r := range line { // a bad byte is one U+FFFD
		switch {
		case n < first:
		case n > at+after:
			b.WriteString("…")
			return b.String(), caret + at - first
		case r == '\t':
			b.WriteByte(' ')
		case !unicode.IsPrint(r):
			b.WriteRune(unicode.ReplacementChar)
		default:
			b.WriteRune(r)
		}
		n++
	}
	return b.String(), caret + at - first
}
