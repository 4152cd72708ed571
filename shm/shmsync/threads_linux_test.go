//go:build linux && !ipcportable

package shmsync

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
)

func threads(t *testing.T) int {
	l, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(l)
}

// 400 goroutines asleep on 20 words cost one thread, not 400: Go never gives a
// thread back.
func TestOneThreadForAllWaiters(t *testing.T) {
	for name, make := range parkers() {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := make()
			defer s.Close()
			var w [20]atomic.Uint32
			before := threads(t)
			ctx, cancel := context.WithCancel(t.Context())
			errs := newErrs(400)
			for i := range 400 {
				go func() { errs <- s.Wait(ctx, &w[i%20], 0, 0) }()
			}
			waitUntil(t, "400 wait", func() bool { return s.size() == 400 })
			during := threads(t)
			cancel()
			for range 400 {
				is.True(errors.Is(<-errs, context.Canceled))
			}
			t.Logf("%d threads before, %d during", before, during)
			is.True(during <= before+10) // the runtime's own come and go
		})
	}
}

func newErrs(n int) chan error { return make(chan error, n) }
