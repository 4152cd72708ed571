package acl

import (
	"errors"
	"strings"
)

// A token is a word, or a comma, of one line.
type token struct {
	text   string
	offset int  // in the line, in bytes
	quoted bool // can't be a word of the language
	comma  bool
}

// lexError is a fault at a byte of the line.
type lexError struct {
	offset int
	err    error
}

// lex splits a line, appending to tokens. Words are separated by blanks and
// commas; "…" quotes what holds either, with \" and \\ inside; # begins a
// comment unless it stands within a word.
func lex(line string, tokens []token) ([]token, *lexError) {
	for i := 0; i < len(line); {
		switch c := line[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '#':
			if at := strings.IndexFunc(line[i:], isControl); at >= 0 {
				return tokens, &lexError{i + at, errPathControl}
			}
			return tokens, nil
		case c == ',':
			tokens = append(tokens, token{text: ",", offset: i, comma: true})
			i++
		case c == '"':
			word, n, err := unquote(line[i:])
			if err != nil {
				return tokens, &lexError{i, err}
			}
			tokens = append(tokens, token{text: word, offset: i, quoted: true})
			i += n
			if i < len(line) && !strings.ContainsRune(" \t,", rune(line[i])) {
				return tokens, &lexError{i, errors.New("a blank or comma must follow the closing quote")}
			}
		default:
			start := i
			for i < len(line) && !strings.ContainsRune(" \t,", rune(line[i])) {
				if line[i] < ' ' || line[i] == 0x7f {
					return tokens, &lexError{i, errPathControl}
				}
				if line[i] == '"' {
					return tokens, &lexError{i, errors.New("a quote must stand at the beginning of a word")}
				}
				i++
			}
			tokens = append(tokens, token{text: line[start:i], offset: start})
		}
	}
	return tokens, nil
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// unquote reads the quoted word that s begins with, and how long it is there.
func unquote(s string) (word string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), i + 1, nil
		case c == '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", 0, errors.New(`only \" and \\ may follow a backslash in quotes`)
			}
			b.WriteByte(s[i])
		case c < ' ' || c == 0x7f:
			return "", 0, errPathControl
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, errors.New("the closing quote is missing")
}

// quote writes a word so that lex reads it back.
func quote(word string) string {
	if word != "" && word[0] != '#' && !strings.ContainsAny(word, " \t,\"") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}
