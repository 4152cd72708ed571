package queue

import (
	"sync/atomic"
	"time"
)

// light says whether a handle gives its fast lane back the light way: by a plain store,
// after which it looks whether somebody waits for a lane. The processor may do that look
// before others can see the store; an exchange forbids it, and takes 7 ns of a Put or a Get
// on some. Whoever waits is rare, so that one pays: it says that it waits, and has the
// kernel make every thread of this process pass a barrier. Then a release has either made
// its store visible, or its look is still to come.
//
//	release            waiter
//	busy = 0           wanted++
//	wanted?            barrier in all threads
//	                   busy?
//
// The kernel takes 10 to 20 ms to prepare for that, during which the process cannot end.
// So a handle asks for it once it has been in use for a while, and beside its work.
// Nobody can meet a light release without knowing of it: on was set before it looked at
// wanted, and stays.
type light struct {
	on, asked atomic.Bool
}

const lightAfter = 20 * time.Millisecond

// prepared reports whether releases may be light from now on. A handle in use asks now and
// then, with its age.
func (l *light) prepared(age time.Duration) bool {
	if age >= lightAfter && !l.asked.Load() && !l.asked.Swap(true) {
		go func() {
			if prepareBarrier() {
				l.on.Store(true)
			}
		}()
	}
	return l.on.Load()
}
