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
	Machine string             `json:"machine"`
	Figures map[string]float64 `json:"figures"` // by mechanism/size
	Results []any              `json:"results"`
}

func saveFigures(path string, m *measured) error {
	text, err := json.MarshalIndent(saved{machine(), m.figures, m.results}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func readFigures(path string) (map[string]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s saved
	if err := json.Unmarshal(text, &s); err != nil || s.Figures == nil {
		return nil, fmt.Errorf("%s was not written by --save", path)
	}
	return s.Figures, nil
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
