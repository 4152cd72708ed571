package socket

import (
	"context"
	"sync/atomic"
)

// A turn is a mutex whose Lock gives up when a context ends.
//
// Its state is 0 free, 1 held, 2 held and perhaps waited for; a holder that
// finds 2 when it lets go leaves a token in wake. A token left over wakes a
// waiter for nothing, who then looks again. (Drepper, "Futexes are tricky",
// mutex 2, with a channel for the futex.)
type turn struct {
	state atomic.Uint32
	wake  chan struct{}
}

func newTurn() turn { return turn{wake: make(chan struct{}, 1)} }

func (t *turn) tryLock() bool { return t.state.CompareAndSwap(0, 1) }

func (t *turn) lock(ctx context.Context) error {
	if t.tryLock() {
		return nil
	}
	for t.state.Swap(2) != 0 {
		select {
		case <-t.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (t *turn) unlock() {
	if t.state.Swap(0) == 2 {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}
