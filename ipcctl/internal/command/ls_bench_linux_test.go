//go:build !ipcportable

package command_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// BenchmarkList runs ls beside 5,000 segments and 500 processes, each of which
// has ten of the segments open.
func BenchmarkList(b *testing.B) {
	const segments, processes, each = 5000, 500, 10
	name := func(i int) string { return fmt.Sprintf("/dev/shm/ipcctl-bench-%d-%d", os.Getpid(), i) }
	b.Cleanup(func() {
		for i := range segments {
			os.Remove(name(i))
		}
	})
	for i := range segments {
		if err := os.WriteFile(name(i), make([]byte, 64), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for p := range processes {
		cmd := exec.Command("sleep", "600")
		for i := range each {
			f, err := os.Open(name((p*each + i) % segments))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		for _, f := range cmd.ExtraFiles {
			f.Close()
		}
		b.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
	}
	for b.Loop() {
		must(b, "", "ls")
	}
}
