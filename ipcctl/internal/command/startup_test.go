package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkStartUp compares "ipcctl version", and another verb that does next to
// nothing, with a program that prints one line: they start by turns, so that a busy
// moment hits all.
func BenchmarkStartUp(b *testing.B) {
	dir := b.TempDir()
	source, hello := filepath.Join(dir, "main.go"), filepath.Join(dir, "hello")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", hello, source).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var took [3][]time.Duration
	for b.Loop() {
		for i, line := range [][]string{{hello}, {binary, "version"}, {binary, "completion", "bash"}} {
			began := time.Now()
			if err := exec.Command(line[0], line[1:]...).Run(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return d[len(d)/2].Seconds() * 1e3
	}
	base := median(took[0])
	b.ReportMetric(base, "hello-ms")
	b.ReportMetric(median(took[1]), "version-ms")
	b.ReportMetric(median(took[1])/base, "version-times")
	b.ReportMetric(median(took[2]), "other-ms")
	b.ReportMetric(median(took[2])/base, "other-times")
}
