package command

import (
	"testing"

	"github.com/matryer/is"
)

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"0", 0}, {"4096", 4096}, {"64KiB", 64 << 10}, {"1MiB", 1 << 20}, {"1.5GiB", 3 << 29}, {"2kB", 2000},
		{"1mib", 1 << 20}, {"8K", 8 << 10}, {"12B", 12}, {"1 MiB", 1 << 20}, {"3T", 3 << 40},
		{"-1", -1}, {"-4KiB", -1}, {"", -1}, {"KiB", -1}, {"1.5", -1}, {"x", -1}, {"1e3", -1}, {"NaNKiB", -1},
		{"9223372036854775807", 1<<63 - 1}, {"9223372036854775808", -1}, {"8388608TiB", -1}, {"InfMiB", -1},
	} {
		t.Run(c.text, func(t *testing.T) {
			is := is.New(t)
			n, err := parseSize(c.text)
			if c.want < 0 {
				is.True(err != nil)
				return
			}
			is.NoErr(err)
			is.Equal(n, c.want)
		})
	}
}

func TestFormatSize(t *testing.T) {
	is := is.New(t)
	for n, want := range map[int64]string{
		0: "0B", 1023: "1023B", 1024: "1KiB", 1536: "1.5KiB", 4096: "4KiB", 1 << 20: "1MiB",
		1<<20 - 1: "1MiB", 10_000_000: "9.5MiB", 3 << 30: "3GiB", 1<<63 - 1: "8EiB",
	} {
		is.Equal(formatSize(n), want)
	}
}

func TestSuggestions(t *testing.T) {
	is := is.New(t)
	known := []string{"create", "write", "read", "rm"}
	is.Equal(didYouMean("craete", known, "%q"), `; did you mean "create"?`)
	is.Equal(didYouMean("reed", known, "%q"), `; did you mean "read"?`)
	is.Equal(didYouMean("rn", known, "%q"), `; did you mean "rm"?`)
	is.Equal(didYouMean("cre", known, "%q"), `; did you mean "create"?`) // not typed to its end
	is.Equal(didYouMean("frobnicate", known, "%q"), "")
	is.Equal(didYouMean("", known, "%q"), "")
}

func FuzzSize(f *testing.F) {
	f.Add("1MiB")
	f.Add("1.5e3KiB")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseSize(text); err == nil && n < 0 {
			t.Errorf("%q: %d", text, n)
		}
	})
}
