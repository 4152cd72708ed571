//go:build !unix

package pipe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
)

// What this system can't do says so; nothing panics, and nothing half works.
func TestUnsupported(t *testing.T) {
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"New":             func() error { _, _, err := New(); return err },
		"NewPacket":       func() error { _, _, err := NewPacket(); return err },
		"Duplex":          func() error { _, _, err := Duplex(); return err },
		"Command":         func() error { _, err := Command(exec.Command("child")); return err },
		"Create":          func() error { _, err := Create("fifo", nil); return err },
		"OpenReader":      func() error { _, err := OpenReader(ctx, "fifo", nil); return err },
		"OpenWriter":      func() error { _, err := OpenWriter(ctx, "fifo", nil); return err },
		"NewReader":       func() error { _, err := NewReader(os.Stdin); return err },
		"NewWriter":       func() error { _, err := NewWriter(os.Stdout); return err },
		"NewPacketReader": func() error { _, err := NewPacketReader(os.Stdin); return err },
		"NewPacketWriter": func() error { _, err := NewPacketWriter(os.Stdout); return err },
	} {
		if err := call(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want errors.ErrUnsupported", name, err)
		}
	}
}
