package command

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// saved is the file of --save.
type saved struct {
	Verb    string             `json:"verb"` // that measured: bench or latency
	Machine string             `json:"machine"`
	Figures map[string]float64 `json:"figures"` // by mechanism, size, and what else was asked for
	Results []any              `json:"results"`
}

func saveFigures(path string, m *measured) error {
	text, err := json.MarshalIndent(saved{m.verb, machine(), m.figures, m.results}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// readFigures reads what the same verb has saved.
func readFigures(path, verb string) (*saved, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s saved
	if err := json.Unmarshal(text, &s); err != nil || s.Figures == nil {
		return nil, fmt.Errorf("%s was not written by --save", path)
	}
	if s.Verb != verb {
		return nil, fmt.Errorf("%s has the figures of ipcctl %s, which can't be compared with those of %s", path, s.Verb, verb)
	}
	return &s, nil
}

// change remembers a figure for --save, and returns by how many percent it
// differs from the saved one; nil if there is none.
func (m *measured) change(key string, figure float64) *float64 {
	m.figures[key] = figure
	if old := m.base[key]; old > 0 {
		percent := (figure/old - 1) * 100
		return &percent
	}
	return nil
}

// changeCell shows a change, in colour if it is more than noise.
func (c *call) changeCell(percent *float64, moreIsBetter bool) string {
	if percent == nil {
		return "new"
	}
	paint := c.paint.dim
	if better := *percent > 0 == moreIsBetter; *percent > 10 || *percent < -10 {
		if paint = c.paint.red; better {
			paint = c.paint.green
		}
	}
	return paint(fmt.Sprintf("%+.0f%%", *percent))
}

// machine describes where figures were taken.
func machine() string {
	cpu := "unknown CPU"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for _, line := range strings.Split(string(text), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			cpu = strings.TrimSpace(value)
			break
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.Join(strings.Fields(fmt.Sprintf("%d x %s, %s %s, %s", runtime.NumCPU(), cpu, runtime.GOOS, strings.TrimSpace(string(release)), runtime.Version())), " ")
}
