package model

import (
	"flag"
	"reflect"
	"testing"
	"time"

	"github.com/matryer/is"
)

var (
	long = flag.Bool("long", false, "explore the large configurations as well: minutes, and some gigabytes")
	only = flag.String("config", "", "explore only the configuration of this name")
)

// explore expects to find no violation, and every state.
func explore(t *testing.T, c config, alone uint64) {
	if *only != "" && *only != c.name {
		t.Skip("not asked for")
	}
	start := time.Now()
	r := search(newMachine(c, mutNone), alone)
	t.Logf("%-16s %9d states, %2d accesses alone at most, %v",
		c.name, r.states, r.soloMost, time.Since(start).Round(time.Millisecond))
	if r.violation != "" {
		t.Fatal(r.violation)
	}
}

func TestProtocol(t *testing.T) {
	alone := uint64(1)
	if raceDetector { // there is one goroutine: nothing to detect, and it is slow
		alone = 16
	}
	for _, c := range small {
		t.Run(c.name, func(t *testing.T) { explore(t, c, alone) })
	}
	if testing.Short() || raceDetector {
		return
	}
	for _, c := range medium {
		t.Run(c.name, func(t *testing.T) { explore(t, c, 16) })
	}
	if !*long {
		return
	}
	for _, c := range large {
		t.Run(c.name, func(t *testing.T) { explore(t, c, 64) })
	}
}

// TestMutants fails if a fault in the protocol is not found.
func TestMutants(t *testing.T) {
	for f := mutNone + 1; f < firstPrecaution; f++ {
		t.Run(f.String(), func(t *testing.T) {
			for _, c := range small {
				if c.name != mutantInfo[f].config {
					continue
				}
				r := search(newMachine(c, f), 1)
				if r.violation == "" {
					t.Fatalf("%s does not find it in %d states", c.name, r.states)
				}
				t.Logf("found after %d states of %s", r.states, r.violation)
				return
			}
			t.Fatal("no configuration is meant to find it")
		})
	}
}

// TestPrecautions shows that some details of the code are no more than that:
// the protocol holds without them.
func TestPrecautions(t *testing.T) {
	for f := firstPrecaution; f < mutants; f++ {
		t.Run(f.String(), func(t *testing.T) {
			for _, c := range small {
				r := search(newMachine(c, f), 16)
				if r.violation != "" {
					t.Error(r.violation)
				}
			}
		})
	}
}

// TestHoles: padding in a state would make hashing it slow.
func TestHoles(t *testing.T) {
	is := is.New(t)
	var sum func(reflect.Type) uintptr
	sum = func(ty reflect.Type) (n uintptr) {
		switch ty.Kind() {
		case reflect.Struct:
			for i := range ty.NumField() {
				n += sum(ty.Field(i).Type)
			}
			return n
		case reflect.Array:
			return uintptr(ty.Len()) * sum(ty.Elem())
		}
		return ty.Size()
	}
	ty := reflect.TypeFor[state]()
	is.Equal(sum(ty), ty.Size())
}
