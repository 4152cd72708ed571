package shm

import "testing"

// What may be removed is known not to be used: neither seen in use, nor possibly used
// by who can't be seen, nor named by somebody who may come back.
func TestStateOfSegments(t *testing.T) {
	user := []User{{PID: 1}}
	for want, all := range map[State][]Info{
		Live:   {{Name: "chosen", Users: user}, {Name: "psm_01234567", Attached: true}, {Users: user, cutShort: true}},
		Orphan: {{Name: "psm_01234567"}, {Name: "chosen", cutShort: true, Hidden: 1}},
		Idle:   {{Name: "chosen"}, {Name: "psm_01234567", Hidden: 1}, {Name: "psm_0123456x"}, {Name: "psm_012345678"}, {Name: "x_01234567"}},
	} {
		for _, i := range all {
			if got := i.state(); got != want {
				t.Errorf("%+v is %v, want %v", i, got, want)
			}
		}
	}
}
