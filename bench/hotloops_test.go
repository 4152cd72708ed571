package main

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// The loops that are measured are not the copies that inlining makes of them in the init
// function: see mechanisms.
func TestHotLoops(t *testing.T) {
	var looked int
	for name, m := range mechanisms {
		funcs := []any{m.local}
		for _, p := range []*pinger{m.ping, m.many} {
			if p != nil {
				funcs = append(funcs, p.serve, p.dial)
			}
		}
		if f := m.flow; f != nil {
			funcs = append(funcs, f.produce, f.consume)
		}
		for _, f := range funcs {
			v := reflect.ValueOf(f)
			if v.IsNil() {
				continue
			}
			looked++
			full := runtime.FuncForPC(v.Pointer()).Name()
			if _, in, ok := strings.Cut(full, ".init."); ok && !strings.HasPrefix(in, "func") {
				t.Errorf("%s: %s is a copy in the init function: its maker must not be inlined", name, full)
			}
		}
	}
	if looked < 40 {
		t.Errorf("only %d functions found", looked)
	}
}
