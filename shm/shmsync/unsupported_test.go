//go:build !unix

package shmsync

import (
	"errors"
	"os"
	"testing"
)

// What this system can't do says so; nothing panics, and nothing half works.
func TestUnsupported(t *testing.T) {
	for name, call := range map[string]func() error{
		"OpenLiveness": func() error { _, err := OpenLiveness(os.Stdin); return err },
	} {
		if err := call(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want errors.ErrUnsupported", name, err)
		}
	}
}
