//go:build !unix

package socket

import (
	"context"
	"errors"
	"os"
	"testing"
)

// What this system can't do says so; nothing panics, and nothing half works.
func TestUnsupported(t *testing.T) {
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"Listen":       func() error { _, err := Listen("s", nil); return err },
		"ListenFile":   func() error { _, err := ListenFile(os.Stdin, nil); return err },
		"Dial":         func() error { _, err := Dial(ctx, "s", nil); return err },
		"Dial waiting": func() error { _, err := Dial(ctx, "s", &DialOptions{Wait: true}); return err },
		"Pair":         func() error { _, _, err := Pair(); return err },
		"FromFile":     func() error { _, err := FromFile(os.Stdin); return err },
	} {
		if err := call(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want errors.ErrUnsupported", name, err)
		}
	}
}
