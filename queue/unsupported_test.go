//go:build !unix

package queue

import (
	"errors"
	"os"
	"testing"
)

// What this system can't do says so; nothing panics, and nothing half works.
func TestUnsupported(t *testing.T) {
	small := &Options{Capacity: 1, MaxMessage: 8}
	for name, call := range map[string]func() error{
		"Create":        func() error { _, err := Create("jobs", small); return err },
		"Create a file": func() error { _, err := Create("./jobs", small); return err },
		"Create with dead letters": func() error {
			_, err := Create("jobs", &Options{Capacity: 1, MaxMessage: 8, MaxAttempts: 1})
			return err
		},
		"Open":       func() error { _, err := Open("jobs", nil); return err },
		"OpenReader": func() error { _, err := OpenReader("jobs"); return err },
		"Remove":     func() error { return Remove("jobs") },
		"List":       func() error { _, err := List(); return err },
		"Anonymous":  func() error { _, err := Anonymous(small); return err },
		"FromFile":   func() error { _, err := FromFile(os.Stdin); return err },
	} {
		if err := call(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want errors.ErrUnsupported", name, err)
		}
	}
}
