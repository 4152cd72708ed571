//go:build !unix

package acl

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What this system can't do says so; nothing panics, and nothing half works.
func TestUnsupported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(path, []byte("allow any any any\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := Parse(path, []byte("allow uid:1 read shm:x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !policy.Check(Subject{UID: 1}, "read", "shm:x").Allowed {
		t.Error("a policy decides on every system")
	}
	for name, call := range map[string]func() error{
		"Load":      func() error { _, err := Load(path); return err },
		"Watch":     func() error { _, err := Watch(path, nil); return err },
		"Apply":     func() error { _, err := Apply(path, policy, "shm:x"); return err },
		"PeerOf":    func() error { _, err := PeerOf(os.Stdin); return err },
		"ProcessOf": func() error { _, err := ProcessOf(os.Stdin); return err },
	} {
		if err := call(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want errors.ErrUnsupported", name, err)
		}
	}
}
