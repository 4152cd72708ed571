package pipe

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/matryer/is"
)

// Whoever withdraws, the lock is held by one at a time and always comes free.
func TestMutexUnderCancellation(t *testing.T) {
	is := is.New(t)
	m := newMutex()
	var wg sync.WaitGroup
	held, got := 0, 0
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				ctx, cancel := context.WithCancel(context.Background())
				go func() {
					for range rand.IntN(4) {
						runtime.Gosched()
					}
					cancel()
				}()
				if m.lock(ctx) == nil {
					held++ // the race detector watches
					if held != 1 {
						t.Error("held twice")
					}
					got++
					if rand.IntN(2) == 0 {
						runtime.Gosched()
					}
					held--
					m.unlock()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	is.True(got > 0)
	is.True(m.tryLock())
	is.True(!m.tryLock())
	m.unlock()
	is.Equal(m.users.Load(), int32(0))
	is.Equal(len(m.token), 0)
}
