package command

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// size is a flag's value in bytes: 4096, 64KiB, 1MiB, 1.5GiB, and kB, MB, GB
// for powers of ten.
type size int64

var units = []struct {
	suffix string
	bytes  int64
}{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40},
	{"B", 1}, {"", 1},
}

// Set implements flag.Value.
func (s *size) Set(text string) error {
	n, err := parseSize(text)
	if err != nil {
		return err
	}
	*s = size(n)
	return nil
}

// String implements flag.Value.
func (s *size) String() string {
	if s == nil || *s == 0 {
		return ""
	}
	return formatSize(int64(*s))
}

func parseSize(text string) (int64, error) {
	upper := strings.ToUpper(strings.TrimSpace(text))
	for _, u := range units {
		digits, ok := strings.CutSuffix(upper, u.suffix)
		if !ok {
			continue
		}
		digits = strings.TrimSpace(digits)
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			if n < 0 {
				return 0, fmt.Errorf("a size can't be negative: %s", text)
			}
			if n > math.MaxInt64/u.bytes {
				return 0, fmt.Errorf("size %s is more than any memory", text)
			}
			return n * u.bytes, nil
		}
		f, err := strconv.ParseFloat(digits, 64)
		if err != nil || math.IsNaN(f) || u.bytes == 1 {
			break
		}
		if f < 0 {
			return 0, fmt.Errorf("a size can't be negative: %s", text)
		}
		if f *= float64(u.bytes); f >= math.MaxInt64 {
			return 0, fmt.Errorf("size %s is more than any memory", text)
		}
		return int64(f), nil
	}
	return 0, fmt.Errorf("%q is no size: write 4096, 64KiB or 1MiB", text)
}

// formatSize writes bytes in the largest binary unit that fits: exactly if it
// can with at most one decimal, else rounded to one.
func formatSize(n int64) string {
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + "B"
	}
	f, unit := float64(n), ""
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		if f /= 1 << 10; f < 1023.95 {
			unit = u
			break
		}
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + unit
}

// sizeFlag declares a flag that takes a size.
func sizeFlag(name, usage string, def int64) cli.Flag {
	v := size(def)
	return &cli.GenericFlag{Name: name, Usage: usage, Value: &v}
}

// size returns the value of a size flag, as an int that this CPU can hold.
func (c *call) size(name string) (int, error) {
	v, ok := c.flags.Generic(name).(*size)
	if !ok {
		return 0, nil
	}
	if int64(*v) > math.MaxInt {
		return 0, usagef("--%s %s is more than this machine can address", name, formatSize(int64(*v)))
	}
	return int(*v), nil
}

// formatCount writes a count with thousands apart: 1,234,567.
func formatCount[T ~int | ~int64 | ~uint64](n T) string {
	text := strconv.FormatInt(int64(n), 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func durationOf(ns float64) time.Duration { return time.Duration(math.Round(ns)) }
