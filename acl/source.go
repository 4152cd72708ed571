package acl

import (
	"strings"
	"unicode/utf8"
)

// A source is one file of a policy.
type source struct {
	name string
	text string
}

// An item is one word of a source, and where it stands (in bytes).
type item struct {
	text string
	at   int
}

// errorAt makes the error about the byte at offset at.
func (s *source) errorAt(at int, err error) *SyntaxError {
	at = min(at, len(s.text))
	start := strings.LastIndexByte(s.text[:at], '\n') + 1
	line, _, _ := strings.Cut(s.text[start:], "\n")
	number := strings.Count(s.text[:start], "\n") + 1
	return syntaxError(s.name, number, strings.TrimSuffix(line, "\r"), at-start, err)
}

// invalidUTF8 returns where s.text stops being UTF-8, or -1.
func (s *source) invalidUTF8() int {
	for i := 0; i < len(s.text); {
		r, n := utf8.DecodeRuneInString(s.text[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// The statements of a source, not yet understood: names and sets are looked up
// when every file has been read.
type (
	rawRule struct {
		src          *source
		at           int // of the statement
		line, column int
		effect       Effect
		isCase       bool // expect
		in           []item
		who          []item
		actions      []item
		resources    []item
	}
	rawSet struct {
		src          *source
		line, column int
		name         item
		members      []item
	}
)
