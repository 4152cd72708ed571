//go:build darwin || (linux && ipcportable)

package acl

import (
	"errors"
	"os"
	"testing"

	"github.com/matryer/is"
)

// TestSteady gives the peer's pid away, or has the peer exec, between the looks.
func TestSteady(t *testing.T) {
	a, b := sighting{7, 1}, sighting{7, 2} // one pid, two processes
	gone, odd := os.ErrProcessDone, errors.New("odd")
	for name, tc := range map[string]struct {
		looks  []sighting // the zero value is a look that finds nobody
		finds  error
		asked  int // how often something is looked up
		wanted error
	}{
		"a peer that stays":                {[]sighting{a, a}, nil, 1, nil},
		"what was found, an error too":     {[]sighting{a, a}, odd, 1, odd},
		"a peer that execs":                {[]sighting{a, b, b}, nil, 2, nil},
		"a pid that was given away":        {[]sighting{a, {8, 1}, {8, 1}}, nil, 2, nil},
		"nobody":                           {[]sighting{{}}, nil, 0, gone},
		"a peer that ends meanwhile":       {[]sighting{a, {}}, nil, 1, gone},
		"a peer that never stays the same": {[]sighting{a, b, a, b, a}, nil, 4, errUnsteady},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			looked, asked := 0, 0
			err := steady(func() (sighting, error) {
				s := tc.looks[looked] // panics if one look too many
				looked++
				if s == (sighting{}) {
					return s, gone
				}
				return s, nil
			}, func(pid int32) error {
				is.Equal(pid, tc.looks[looked-1].pid)
				asked++
				return tc.finds
			})
			is.True(errors.Is(err, tc.wanted))
			is.Equal(asked, tc.asked)
			is.Equal(looked, len(tc.looks))
		})
	}
}
