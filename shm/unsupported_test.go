//go:build !unix

package shm

import (
	"errors"
	"os"
	"testing"
)

// What this system can't do says so; nothing panics, and nothing half works.
func TestUnsupported(t *testing.T) {
	for name, call := range map[string]func() error{
		"Create":              func() error { _, err := Create("segment", 100, nil); return err },
		"Create a file":       func() error { _, err := Create("./segment", 100, nil); return err },
		"Open":                func() error { _, err := Open("segment", nil); return err },
		"OpenReader":          func() error { _, err := OpenReader("segment", nil); return err },
		"Remove":              func() error { return Remove("segment") },
		"List":                func() error { _, err := List(); return err },
		"Anonymous":           func() error { _, err := Anonymous(100, nil); return err },
		"FromFile":            func() error { _, err := FromFile(os.Stdin, nil); return err },
		"ReaderFromFile":      func() error { _, err := ReaderFromFile(os.Stdin, nil); return err },
		"CreateShareableList": func() error { _, err := CreateShareableList("list", []any{1}, nil); return err },
		"OpenShareableList":   func() error { _, err := OpenShareableList("list", nil); return err },
	} {
		if err := call(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want errors.ErrUnsupported", name, err)
		}
	}
}
