package pipe

import (
	"context"
	"sync/atomic"
)

// mutex is a lock whose waiting ends with a context.
//
// users counts the holder and those who wait. An unlock that leaves users > 0
// owes the waiters one token, so a waiter may withdraw only while somebody
// else remains to take that token.
type mutex struct {
	users atomic.Int32
	token chan struct{} // capacity 1; made by newMutex
}

func newMutex() mutex { return mutex{token: make(chan struct{}, 1)} }

// lock returns nil with the lock held, or ctx.Err() without it.
func (m *mutex) lock(ctx context.Context) error {
	if m.users.Add(1) == 1 {
		return nil
	}
	select {
	case <-m.token:
		return nil
	case <-ctx.Done():
	}
	for { // ends: another user remains to be counted down to, or the token is ours
		n := m.users.Load()
		if n == 1 { // nobody holds it: the token is on its way to us
			<-m.token
			m.unlock()
			return ctx.Err()
		}
		if m.users.CompareAndSwap(n, n-1) {
			return ctx.Err()
		}
	}
}

// tryLock reports whether the lock was free and is held now.
func (m *mutex) tryLock() bool { return m.users.CompareAndSwap(0, 1) }

func (m *mutex) unlock() {
	if m.users.Add(-1) > 0 {
		m.token <- struct{}{}
	}
}
