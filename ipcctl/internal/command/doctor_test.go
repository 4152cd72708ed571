package command_test

import (
	"testing"

	"github.com/matryer/is"
)

func TestDoctor(t *testing.T) {
	is := is.New(t)
	r := run(t, "", "doctor", "--json")
	bad := 0
	for _, f := range conforms(t, "ipcctl doctor", r.out) {
		if f["verdict"] == "bad" {
			bad = 1
		} else {
			is.True(f["verdict"] == "ok" || f["verdict"] == "note")
		}
	}
	is.Equal(r.code, bad) // the status says whether anything is bad
	is.Equal(r.err, "")
	text := run(t, "", "doctor")
	is.Equal(text.code, bad)
	is.True(len(text.out) > 0)
	fails(t, 2, []string{"doctor", "--fix"}, "no flag --fix")
}
